package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/wormlog/wormlog/keys"
)

var _ API = (*sm.Client)(nil)

func TestErrorsSayWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		is   error
		says string
	}{
		"denied":        {apiError("AccessDeniedException", "User: arn:x is not authorized"), keys.ErrDenied, "secretsmanager:GetSecretValue"},
		"denied by KMS": {apiError("AccessDeniedException", "Access to KMS is not allowed"), keys.ErrDenied, "kms:Decrypt"},
		"absent":        {&types.ResourceNotFoundException{}, keys.ErrNotFound, "wormlog init"},
		"decryption":    {&types.DecryptionFailure{}, nil, "KMS key"},
		"deleted":       {&types.InvalidRequestException{}, nil, "restore-secret"},
		"throttled":     {apiError("ThrottlingException", "Rate exceeded"), nil, "later"},
		"credentials":   {apiError("ExpiredTokenException", ""), nil, "credentials"},
		"server":        {&types.InternalServiceError{}, nil, "outcome is unknown"},
		"server, KMS":   {&types.InternalServiceError{Message: aws.String("the KMS key is disabled")}, nil, "KMS key of the secret is enabled"},
		"KMS state":     {apiError("KMSInvalidStateException", ""), nil, "KMS key"},
		"other":         {apiError("Teapot", ""), nil, "API Reference"},
		"lost":          {errLost, errLost, "network"},
		"not JSON":      {&smithy.DeserializationError{Err: errors.New("x"), Snapshot: []byte("hunter2")}, nil, "endpoint"},
	} {
		f := newFake()
		f.fail("GetSecretValue", false, c.err)
		_, err := newProvider(t, f, nil).Current(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), signing) {
			t.Errorf("%s: %v, want it to name the secret and say %q", name, err, c.says)
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v is not %v", name, err, c.is)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "hunter2") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q", name, err)
		}
	}
}

func TestAValueThatIsNoBundle(t *testing.T) {
	for name, value := range map[string]string{"text": "hunter2", "JSON": `{"username":"a","password":"hunter2"}`, "later": `{"format":"wormlog/v9","x":"hunter2"}`} {
		f := newFake()
		f.set(signing, "v1", value)
		p := newProvider(t, f, nil)
		for _, read := range []func() (*keys.Bundle, error){
			func() (*keys.Bundle, error) { return p.Current(t.Context()) },
			func() (*keys.Bundle, error) { return p.Version(t.Context(), "v1") },
		} {
			_, err := read()
			if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), signing) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// echo is a service that quotes what it was sent, in every error.
type echo struct{ *fake }

func (e echo) PutSecretValue(_ context.Context, in *sm.PutSecretValueInput, _ ...func(*sm.Options)) (*sm.PutSecretValueOutput, error) {
	return nil, apiError("AccessDeniedException", aws.ToString(in.SecretString))
}

func (e echo) CreateSecret(_ context.Context, in *sm.CreateSecretInput, _ ...func(*sm.Options)) (*sm.CreateSecretOutput, error) {
	return nil, apiError("InvalidParameterException", aws.ToString(in.SecretString))
}

func TestErrorsDoNotQuoteWhatWasSent(t *testing.T) {
	b, value := newBundle(t)
	err := (Store{API: echo{newFake()}}).CreateBundle(t.Context(), signing, b)
	if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v %q", err, err, err, err), value) {
		t.Errorf("%v", err)
	}
}

func TestBinaryValue(t *testing.T) {
	b, value := newBundle(t)
	p, err := NewProvider(Config{API: binary(value), SecretID: signing})
	if err != nil {
		t.Fatal(err)
	}
	wantCurrent(t, p, b)
}

// binary is a secret that was stored as SecretBinary.
type binary string

func (v binary) GetSecretValue(context.Context, *sm.GetSecretValueInput, ...func(*sm.Options)) (*sm.GetSecretValueOutput, error) {
	return &sm.GetSecretValueOutput{SecretBinary: []byte(v)}, nil
}
