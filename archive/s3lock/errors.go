package s3lock

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/wormlog/wormlog/archive"
)

// Error is how every failed call of a [Store] ends that its context did not end. It wraps exactly one sentinel of package
// archive.
type Error struct {
	Op     string // what was tried: "create", "read", …
	Object string // on what, in words
	Err    error  // the sentinel

	Status    int    // HTTP status; 0 if there was no answer
	Code      string // S3's error code, or the status in words where S3 gives none
	RequestID string // by which AWS Support finds the request
	Detail    string // what S3 or the network said
	Hint      string // what to do; may be empty
}

// Error is one sentence, ending in the hint.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %v", e.Op, e.Object, e.Err)
	switch {
	case e.Status != 0:
		fmt.Fprintf(&b, " (S3 answered %d %s", e.Status, e.Code)
		if e.RequestID != "" {
			fmt.Fprintf(&b, ", request %s", e.RequestID)
		}
		b.WriteString(")")
	case e.Code != "":
		fmt.Fprintf(&b, " (%s)", e.Code)
	}
	if e.Detail != "" {
		b.WriteString(": " + strings.TrimSuffix(e.Detail, "."))
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// ErrorCode returns Code, by which failures of one cause can be told from others.
func (e *Error) ErrorCode() string { return e.Code }

// Unwrap returns the sentinel and nothing below it: a network time-out is a context.DeadlineExceeded to errors.Is, and
// the caller's context did not end.
func (e *Error) Unwrap() error { return e.Err }

// call is one operation under way: what an error says of it.
type call struct {
	op     string
	object string
	sent   bool // a request went out
}

func (s *Store) start(op, key, versionID string) *call {
	object := fmt.Sprintf("%q in bucket %q", s.full(key), s.home.Bucket)
	if versionID != "" {
		object = "version " + versionID + " of " + object
	}
	return &call{op: op, object: object}
}

func (s *Store) startBucket(op string) *call {
	return &call{op: op, object: fmt.Sprintf("bucket %q", s.home.Bucket)}
}

// fail makes an error of our own finding.
func (c *call) fail(sentinel error, detail, hint string) *Error {
	return &Error{Op: c.op, Object: c.object, Err: sentinel, Detail: detail, Hint: hint}
}

// wrap judges an error of the SDK.
func (c *call) wrap(ctx context.Context, err error) error {
	var reply *awshttp.ResponseError
	status := 0 // the SDK has a ResponseError even where nothing came back
	if errors.As(err, &reply) && reply.Response != nil {
		status = reply.HTTPStatusCode()
	}
	if status >= 300 {
		return c.answered(reply, err)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s %s: %w", c.op, c.object, ctx.Err())
	}
	e := c.fail(archive.ErrUncertain, rootText(err), "")
	switch {
	case status != 0:
		e.Status, e.Code, e.RequestID = status, "and then something that is no S3 reply", reply.ServiceRequestID()
		return e
	case c.sent:
		e.Code, e.Hint = "no answer", "check the network, the endpoint and its certificate"
		return e
	}
	return c.unsent(e, err)
}

// answered judges what S3 said.
func (c *call) answered(reply *awshttp.ResponseError, err error) error {
	e := c.fail(archive.ErrUncertain, "", "")
	e.Status, e.RequestID = reply.HTTPStatusCode(), reply.ServiceRequestID()
	e.Code = strings.ReplaceAll(http.StatusText(e.Status), " ", "")
	var api smithy.APIError
	if errors.As(err, &api) {
		e.Code, e.Detail = oneLine(api.ErrorCode()), oneLine(api.ErrorMessage())
	}
	if e.Detail == e.Code || e.Detail == http.StatusText(e.Status) {
		e.Detail = "" // made up by the SDK from the status
	}
	m := judge(e.Status, e.Code)
	e.Err, e.Hint = m.err, m.hint
	if region := reply.Response.Header.Get("X-Amz-Bucket-Region"); region != "" && wrongRegion[e.Code] {
		e.Hint = "the bucket is in region " + region + ": set that region"
	}
	return e
}

// unsent judges a failure before the first byte, mostly for want of credentials.
func (c *call) unsent(e *Error, err error) error {
	e.Code = "nothing was sent"
	if strings.Contains(err.Error(), "get identity") {
		e.Detail = "no usable AWS credentials: " + e.Detail
		e.Hint = "log in again, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
		var api smithy.APIError
		if errors.As(err, &api) && api.ErrorFault() == smithy.FaultClient {
			e.Err = archive.ErrDenied
		}
		return e
	}
	return e
}

// rootText is the SDK's message without its layers of prefixes.
func rootText(err error) string {
	var request *url.Error
	var reply *smithy.DeserializationError
	var op *smithy.OperationError
	switch {
	case errors.As(err, &reply):
		err = reply.Err
	case errors.As(err, &request):
		err = request.Err
	case errors.As(err, &op):
		err = op.Err
	}
	return oneLine(err.Error())
}

// oneLine tames a text that came from elsewhere.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "") + "…"
	}
	return text
}

// meaning is what an error code says of the outcome, and what a person can do.
type meaning struct {
	err  error
	hint string
}

var wrongRegion = map[string]bool{
	"PermanentRedirect": true, "MovedPermanently": true, "AuthorizationHeaderMalformed": true, "BadRequest": true,
	"IllegalLocationConstraintException": true, "TemporaryRedirect": true,
}

// meanings are the codes whose status alone would mislead, or that deserve a hint (Amazon S3 API reference, "Error
// responses").
var meanings = map[string]meaning{
	"NoSuchBucket":  {archive.ErrNotFound, "check the bucket's name and the account"},
	"NoSuchVersion": {archive.ErrNotFound, ""},

	"PreconditionFailed":         {archive.ErrExists, ""},
	"ConditionalRequestConflict": {archive.ErrConflict, ""},
	"OperationAborted":           {archive.ErrConflict, ""},
	"InvalidBucketState":         {archive.ErrRefused, "enable versioning, then Object Lock, on the bucket"},
	"BucketAlreadyExists":        {archive.ErrRefused, ""},
	"BucketAlreadyOwnedByYou":    {archive.ErrRefused, ""},

	"SlowDown":                               {archive.ErrThrottled, ""},
	"Throttling":                             {archive.ErrThrottled, ""},
	"ThrottlingException":                    {archive.ErrThrottled, ""},
	"ThrottledException":                     {archive.ErrThrottled, ""},
	"RequestThrottled":                       {archive.ErrThrottled, ""},
	"RequestThrottledException":              {archive.ErrThrottled, ""},
	"RequestLimitExceeded":                   {archive.ErrThrottled, ""},
	"TooManyRequests":                        {archive.ErrThrottled, ""},
	"TooManyRequestsException":               {archive.ErrThrottled, ""},
	"BandwidthLimitExceeded":                 {archive.ErrThrottled, ""},
	"LimitExceededException":                 {archive.ErrThrottled, ""},
	"PriorRequestNotComplete":                {archive.ErrThrottled, ""},
	"EC2ThrottledException":                  {archive.ErrThrottled, ""},
	"ProvisionedThroughputExceededException": {archive.ErrThrottled, ""},

	"RequestTimeout":          {archive.ErrUncertain, ""},
	"RequestTimeoutException": {archive.ErrUncertain, ""},

	"PermanentRedirect":                  {archive.ErrRefused, "the bucket is in another region: set that region"},
	"MovedPermanently":                   {archive.ErrRefused, "the bucket is in another region: set that region"},
	"TemporaryRedirect":                  {archive.ErrRefused, "the bucket is new and not everywhere known yet, or in another region: wait, or set its region"},
	"AuthorizationHeaderMalformed":       {archive.ErrRefused, "the request was signed for the wrong region: set the bucket's region"},
	"IllegalLocationConstraintException": {archive.ErrRefused, "the bucket is in another region: set that region"},
	"InvalidRequest":                     {archive.ErrRefused, "check that Object Lock is enabled on the bucket (bucket check)"},
	"InvalidObjectState":                 {archive.ErrRefused, "the object is in an archive tier: restore it first"},
	"KMS.DisabledException":              {archive.ErrRefused, "the KMS key is disabled: enable it"},
	"KMS.NotFoundException":              {archive.ErrRefused, "the KMS key does not exist: check its ID and region"},
	"KMS.KMSInvalidStateException":       {archive.ErrRefused, "the KMS key is disabled or about to be deleted: cancel that"},

	"ExpiredToken":          {archive.ErrDenied, "the AWS credentials have expired: renew them"},
	"TokenRefreshRequired":  {archive.ErrDenied, "the AWS credentials have expired: renew them"},
	"InvalidToken":          {archive.ErrDenied, "the AWS session token is not valid: renew the credentials"},
	"RequestExpired":        {archive.ErrDenied, "the request was too old when it arrived: check this machine's clock"},
	"RequestTimeTooSkewed":  {archive.ErrDenied, "this machine's clock differs from S3's by more than 15 minutes: set it"},
	"InvalidAccessKeyId":    {archive.ErrDenied, "AWS does not know this access key: check the credentials"},
	"SignatureDoesNotMatch": {archive.ErrDenied, "the secret access key does not fit the access key: check the credentials"},
	"AllAccessDisabled":     {archive.ErrDenied, "the bucket is closed: ask AWS Support"},
	"AccountProblem":        {archive.ErrDenied, "the AWS account has a problem: ask AWS Support"},
	"AccessDenied":          {archive.ErrDenied, ""},
}

// judge maps an answer to a sentinel, by code where the code is known and by status otherwise.
func judge(status int, code string) meaning {
	if m, ok := meanings[code]; ok {
		return m
	}
	switch {
	case status == http.StatusNotFound:
		return meaning{archive.ErrNotFound, ""}
	case status == http.StatusConflict:
		return meaning{archive.ErrConflict, ""}
	case status == http.StatusPreconditionFailed:
		return meaning{archive.ErrExists, ""}
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return meaning{archive.ErrDenied, ""}
	case status == http.StatusTooManyRequests:
		return meaning{archive.ErrThrottled, ""}
	case status == http.StatusRequestTimeout:
		return meaning{archive.ErrUncertain, ""}
	case status == http.StatusNotImplemented:
		return meaning{archive.ErrRefused, "this server does not have the function"}
	case status >= 300 && status < 500:
		return meaning{archive.ErrRefused, ""}
	}
	return meaning{archive.ErrUncertain, ""}
}
