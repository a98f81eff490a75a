package secretsmanager

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Reader is what reading a secret needs of Secrets Manager; the SDK's client has it.
type Reader interface {
	GetSecretValue(context.Context, *sm.GetSecretValueInput, ...func(*sm.Options)) (*sm.GetSecretValueOutput, error)
}

// API is what storing a secret needs as well.
type API interface {
	Reader
	CreateSecret(context.Context, *sm.CreateSecretInput, ...func(*sm.Options)) (*sm.CreateSecretOutput, error)
	PutSecretValue(context.Context, *sm.PutSecretValueInput, ...func(*sm.Options)) (*sm.PutSecretValueOutput, error)
}

// errNoValue: a version is there, and it is empty.
var errNoValue = errors.New("no value")

// read returns the value of a secret, the current one when version is "".
func read(ctx context.Context, api Reader, secret, version string) ([]byte, error) {
	value, _, err := fetch(ctx, api, secret, version)
	return value, err
}

// fetch is read that also returns the labels of the version.
func fetch(ctx context.Context, api Reader, secret, version string) (value []byte, labels []string, err error) {
	in := &sm.GetSecretValueInput{SecretId: aws.String(secret)}
	if version == "" {
		in.VersionStage = aws.String(stageCurrent)
	} else {
		in.VersionId = aws.String(version)
	}
	out, err := api.GetSecretValue(ctx, in)
	if err != nil {
		return nil, nil, callError("GetSecretValue", secret, version, err)
	}
	value = out.SecretBinary
	if out.SecretString != nil {
		value = []byte(*out.SecretString)
	}
	if len(value) == 0 {
		return nil, nil, fmt.Errorf("%s has %w; put back the one it had, or run wormlog init for a new log", describe(secret, version), errNoValue)
	}
	return value, out.VersionStages, nil
}

// describe names a secret and its version for people.
func describe(secret, version string) string {
	if version == "" {
		return "secret " + secret
	}
	return "secret " + secret + ", version " + version + ","
}
