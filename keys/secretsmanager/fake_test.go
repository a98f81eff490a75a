package secretsmanager

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/wormlog/wormlog/keys"
)

const testLog = keys.LogID("abababababababababababababababababababababababababababababababab")

var errLost = errors.New("connection reset by peer")

// fake is Secrets Manager as far as this package uses it. Each call takes the first fault that names it.
type fake struct {
	mu      sync.Mutex
	secrets map[string]*secret
	faults  []fault
	calls   []string
	gate    chan struct{} // when set, GetSecretValue waits for it or for the context
}

type secret struct {
	versions map[string]string
	current  string
}

// fault fails one call: before it takes effect, or after it did, so that only the reply is lost.
type fault struct {
	call  string
	after bool
	err   error
}

var _ API = (*fake)(nil)

func newFake() *fake { return &fake{secrets: map[string]*secret{}} }

func (f *fake) set(name, version, value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.secrets[name] == nil {
		f.secrets[name] = &secret{versions: map[string]string{}}
	}
	f.secrets[name].versions[version] = value
	f.secrets[name].current = version
}

func (f *fake) fail(call string, after bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, fault{call, after, err})
}

func (f *fake) count(call string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if c == call {
			n++
		}
	}
	return n
}

// do runs one call under the lock with its fault, if any.
func (f *fake) do(call string, effect func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
	for i, ft := range f.faults {
		if ft.call != call {
			continue
		}
		f.faults = append(f.faults[:i:i], f.faults[i+1:]...)
		if ft.after {
			_ = effect()
		}
		return ft.err
	}
	return effect()
}

func (f *fake) GetSecretValue(ctx context.Context, in *sm.GetSecretValueInput, _ ...func(*sm.Options)) (*sm.GetSecretValueOutput, error) {
	if f.gate != nil {
		select {
		case <-f.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	var out *sm.GetSecretValueOutput
	err := f.do("GetSecretValue", func() error {
		s := f.secrets[aws.ToString(in.SecretId)]
		if s == nil {
			return &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the specified secret.")}
		}
		version := aws.ToString(in.VersionId)
		if aws.ToString(in.VersionStage) == "AWSCURRENT" {
			version = s.current
		}
		value, ok := s.versions[version]
		if !ok {
			return &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the specified secret value.")}
		}
		out = &sm.GetSecretValueOutput{Name: in.SecretId, SecretString: aws.String(value), VersionId: aws.String(version)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (f *fake) CreateSecret(_ context.Context, in *sm.CreateSecretInput, _ ...func(*sm.Options)) (*sm.CreateSecretOutput, error) {
	err := f.do("CreateSecret", func() error {
		name, token := aws.ToString(in.Name), aws.ToString(in.ClientRequestToken)
		if s := f.secrets[name]; s != nil {
			if s.versions[token] == aws.ToString(in.SecretString) {
				return nil
			}
			return &types.ResourceExistsException{Message: aws.String("a secret of that name exists")}
		}
		f.secrets[name] = &secret{versions: map[string]string{token: aws.ToString(in.SecretString)}, current: token}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sm.CreateSecretOutput{}, nil
}

func (f *fake) PutSecretValue(_ context.Context, in *sm.PutSecretValueInput, _ ...func(*sm.Options)) (*sm.PutSecretValueOutput, error) {
	err := f.do("PutSecretValue", func() error {
		s, token := f.secrets[aws.ToString(in.SecretId)], aws.ToString(in.ClientRequestToken)
		if s == nil {
			return &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the specified secret.")}
		}
		if have, ok := s.versions[token]; ok && have != aws.ToString(in.SecretString) {
			return &types.ResourceExistsException{Message: aws.String("a version of that ID has other contents")}
		}
		s.versions[token], s.current = aws.ToString(in.SecretString), token
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sm.PutSecretValueOutput{}, nil
}

func apiError(code, message string) error {
	return &smithy.OperationError{ServiceID: "Secrets Manager", OperationName: "x", Err: &smithy.GenericAPIError{Code: code, Message: message}}
}

func newBundle(t *testing.T) (*keys.Bundle, string) {
	t.Helper()
	b, _, err := keys.NewKey(testLog, keys.RoleWriter, "payments.*", keys.AlgorithmHMACSHA256, Source("wormlog/payments"), "")
	if err != nil {
		t.Fatal(err)
	}
	return b, stored(t, b)
}

func stored(t *testing.T, v interface{ Secret() ([]byte, error) }) string {
	t.Helper()
	s, err := v.Secret()
	if err != nil {
		t.Fatal(err)
	}
	return string(s)
}
