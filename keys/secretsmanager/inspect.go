package secretsmanager

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/keys"
)

// Inspector is what looking at the settings of a secret needs; the SDK's client has it. No value is read.
type Inspector interface {
	DescribeSecret(context.Context, *sm.DescribeSecretInput, ...func(*sm.Options)) (*sm.DescribeSecretOutput, error)
	GetResourcePolicy(context.Context, *sm.GetResourcePolicyInput, ...func(*sm.Options)) (*sm.GetResourcePolicyOutput, error)
}

// Schedule is how Secrets Manager itself rotates a secret.
type Schedule struct {
	Enabled bool
	// Days is how many days pass between rotations; 0 if a schedule expression says it instead.
	Days       uint64
	Expression string
}

// ReadSchedule reads how a secret is rotated (API Reference, DescribeSecret). Errors wrap keys.ErrDenied and
// keys.ErrNotFound.
func ReadSchedule(ctx context.Context, api Inspector, secret string) (Schedule, error) {
	out, err := api.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: aws.String(secret)})
	if err != nil {
		return Schedule{}, callError("DescribeSecret", secret, "", err)
	}
	s := Schedule{Enabled: aws.ToBool(out.RotationEnabled)}
	if r := out.RotationRules; r != nil {
		s.Days, s.Expression = uint64(max(0, aws.ToInt64(r.AutomaticallyAfterDays))), aws.ToString(r.ScheduleExpression)
	}
	return s, nil
}

// DeletionDenied says whether a secret's resource policy refuses its deletion to everybody. Errors wrap keys.ErrDenied and
// keys.ErrNotFound.
func DeletionDenied(ctx context.Context, api Inspector, secret string) (bool, error) {
	out, err := api.GetResourcePolicy(ctx, &sm.GetResourcePolicyInput{SecretId: aws.String(secret)})
	if err != nil {
		return false, callError("GetResourcePolicy", secret, "", err)
	}
	if aws.ToString(out.ResourcePolicy) == "" {
		return false, nil
	}
	denied, err := deniesDeletion(*out.ResourcePolicy)
	if err != nil {
		return false, errors.New("the resource policy of " + describe(secret, "") + " cannot be read as JSON; put it again with aws secretsmanager put-resource-policy")
	}
	return denied, nil
}

type policyDocument struct {
	Statement statements
}

type policyStatement struct {
	Effect    string
	Principal json.RawMessage
	Action    words
	Condition map[string]json.RawMessage
}

// statements is one statement or a list of them, words one string or a list (IAM User Guide, "JSON policy elements").
type (
	statements []policyStatement
	words      []string
)

func (s *statements) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		*s = make(statements, 1)
		return json.Unmarshal(b, &(*s)[0])
	}
	return json.Unmarshal(b, (*[]policyStatement)(s))
}

func (w *words) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*w = make(words, 1)
		return json.Unmarshal(b, &(*w)[0])
	}
	return json.Unmarshal(b, (*[]string)(w))
}

// deniesDeletion looks for an unconditional refusal: a condition may leave somebody out, and is not judged here.
func deniesDeletion(policy string) (bool, error) {
	var p policyDocument
	if err := json.Unmarshal([]byte(policy), &p); err != nil {
		return false, err
	}
	return slices.ContainsFunc(p.Statement, func(s policyStatement) bool {
		return s.Effect == "Deny" && len(s.Condition) == 0 && everybody(s.Principal) && slices.ContainsFunc(s.Action, coversDeletion)
	}), nil
}

func everybody(principal json.RawMessage) bool {
	var all string
	if json.Unmarshal(principal, &all) == nil {
		return all == "*"
	}
	var by map[string]words
	return json.Unmarshal(principal, &by) == nil && slices.Contains(by["AWS"], "*")
}

func coversDeletion(action string) bool {
	const deletion = "secretsmanager:deletesecret"
	action = strings.ToLower(action)
	before, wild := strings.CutSuffix(action, "*")
	return action == deletion || wild && strings.HasPrefix(deletion, before)
}

// Refused says whether reading a secret was refused for want of a permission: true, or false when the value was given
// away. Any other outcome is an error. The value is not kept.
func Refused(ctx context.Context, api Reader, secret, stage string) (bool, error) {
	_, err := api.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: aws.String(secret), VersionStage: aws.String(stage)})
	if err == nil {
		return false, nil
	}
	err = callError("GetSecretValue", secret, "", err)
	if errors.Is(err, keys.ErrDenied) {
		return true, nil
	}
	return false, err
}
