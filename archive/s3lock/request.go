package s3lock

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/wormlog/wormlog/archive"
)

// full is the key in the bucket.
func (s *Store) full(key string) string {
	if s.home.Prefix == "" {
		return key
	}
	return s.home.Prefix + "/" + key
}

// guardRequests lets no request go elsewhere than Open has checked.
func (s *Store) guardRequests(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("wormlogEndpointGuard", s.guardRequest), middleware.After)
	})
}

func (s *Store) guardRequest(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	request, ok := in.Request.(*smithyhttp.Request)
	if !ok || request.URL.Scheme+"://"+request.URL.Host != s.endpoint {
		return middleware.DeserializeOutput{}, middleware.Metadata{}, fmt.Errorf("request kept back: it is not for %s", s.endpoint)
	}
	return next.HandleDeserialize(ctx, in)
}

// noting marks the call as soon as a request goes out.
func (c *call) noting(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("wormlogSent",
			func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
				middleware.DeserializeOutput, middleware.Metadata, error,
			) {
				c.sent = true
				return next.HandleDeserialize(ctx, in)
			}), middleware.After)
	})
}

// once turns the SDK's retries off.
func once(o *s3.Options) { o.Retryer = aws.NopRetryer{} }

// payloadHash spares the SDK hashing a body whose digest is known. S3 checks that it fits.
func payloadHash(digest [32]byte) func(*s3.Options) {
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("wormlogPayloadHash",
				func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
					middleware.InitializeOutput, middleware.Metadata, error,
				) {
					return next.HandleInitialize(v4.SetPayloadHash(ctx, hex.EncodeToString(digest[:])), in)
				}), middleware.Before)
		})
	}
}

// header returns the reply's headers.
func header(m middleware.Metadata) http.Header {
	if reply, ok := awsmiddleware.GetRawResponse(m).(*smithyhttp.Response); ok && reply != nil {
		return reply.Header
	}
	return http.Header{}
}

// date is the store's clock: the Date header, in whole seconds.
func (c *call) date(h http.Header) (time.Time, error) {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}, c.fail(archive.ErrUncertain, fmt.Sprintf("the reply has no usable Date header (%q)", h.Get("Date")),
			"the server's clock is needed for retention: check what stands between this machine and S3")
	}
	return at.UTC(), nil
}
