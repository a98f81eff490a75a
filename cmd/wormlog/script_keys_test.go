package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wormlog/wormlog/archive/devserver"
)

// backdate makes S3's dates of everything under the prefix so much earlier, and the bodies stay as they are.
func backdate(ts *testscript.TestScript, s *scriptServer, by, prefix string) {
	d, err := time.ParseDuration(by)
	ts.Check(err)
	ts.Check(backdateAll(s.Server, d, prefix))
}

func backdateAll(s *devserver.Server, by time.Duration, prefix string) error {
	list, err := s.Raw().Versions(testBucket, prefix)
	for _, v := range list {
		err = errors.Join(err, s.Raw().SetLastModified(testBucket, v.Key, v.VersionID, v.LastModified.Add(-by)))
	}
	return err
}

// relock gives everything under the prefix a lock that ends when it is told.
func relock(ts *testscript.TestScript, s *scriptServer, prefix, after string) {
	d, err := time.ParseDuration(after)
	ts.Check(err)
	list, err := s.Raw().Versions(testBucket, prefix)
	ts.Check(err)
	for _, v := range list {
		ts.Check(s.Raw().SetLock(testBucket, v.Key, v.VersionID, devserver.Lock{Mode: devserver.Compliance, RetainUntil: time.Now().Add(d)}))
	}
}

// copyTo copies every object to a bucket of its own, without versions, dates and locks.
func copyTo(s *devserver.Server, bucket string) error {
	list, err := s.Raw().Versions(testBucket, "")
	err = errors.Join(err, s.CreateBucket(bucket, true))
	for _, v := range list {
		body, bodyErr := s.Raw().Body(testBucket, v.Key, v.VersionID)
		_, putErr := s.Raw().PutVersion(bucket, devserver.Version{Key: v.Key, Body: body})
		err = errors.Join(err, bodyErr, putErr)
	}
	return err
}

// devSecret does with a secret what its owner's administrators, and thieves, do.
func devSecret(ts *testscript.TestScript, s *scriptServer, verb, name, file string) {
	c := secretsOf(s.Server)
	var value string
	if verb == "put" {
		value = ts.ReadFile(file)
	}
	switch verb {
	case "save":
		saved, err := secretValue(c, name)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(saved), 0o600))
	default:
		ts.Check(changeSecret(c, verb, name, value))
	}
}

func secretsOf(s *devserver.Server) *sm.Client {
	return sm.New(sm.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(s.URL()),
		Credentials: credentials.NewStaticCredentialsProvider(devserver.AccessKeyID, devserver.SecretAccessKey, ""),
	})
}

func secretValue(c *sm.Client, name string) (string, error) {
	out, err := c.GetSecretValue(context.Background(), &sm.GetSecretValueInput{SecretId: &name})
	if err != nil {
		return "", err
	}
	return *out.SecretString, nil
}

func changeSecret(c *sm.Client, verb, name, value string) error {
	ctx := context.Background()
	var err error
	switch verb {
	case "put":
		_, err = c.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &name, SecretString: &value})
		if missing := new(types.ResourceNotFoundException); errors.As(err, &missing) {
			_, err = c.CreateSecret(ctx, &sm.CreateSecretInput{Name: &name, SecretString: &value})
		}
	case "delete":
		_, err = c.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true)})
	case "schedule":
		_, err = c.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: &name})
	case "empty":
		_, err = c.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true)})
		if missing := new(types.ResourceNotFoundException); err == nil || errors.As(err, &missing) {
			_, err = c.CreateSecret(ctx, &sm.CreateSecretInput{Name: &name})
		}
	default:
		err = errors.New("a secret is saved, put, deleted, emptied or scheduled, not " + verb)
	}
	return err
}
