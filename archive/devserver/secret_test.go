package devserver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/archive/devserver"
)

// token is a ClientRequestToken of the length that AWS wants.
func token(n int) *string { return aws.String(fmt.Sprintf("token-%030d", n)) }

func (f *fixture) createSecret(t *testing.T, name, value string) *secretsmanager.CreateSecretOutput {
	t.Helper()
	out, err := f.sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value, ClientRequestToken: token(1)})
	failsWith(t, err, 0, "")
	return out
}

func (f *fixture) secretValue(t *testing.T, name, stage string) string {
	t.Helper()
	out, err := f.sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &name, VersionStage: optional(stage)})
	failsWith(t, err, 0, "")
	return aws.ToString(out.SecretString)
}

func (f *fixture) putSecret(t *testing.T, name string, n int, value string, stages ...string) error {
	t.Helper()
	_, err := f.sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &name, ClientRequestToken: token(n), SecretString: &value, VersionStages: stages})
	return err
}

// stages is where each label of the secret is.
func (f *fixture) stages(t *testing.T, name string) map[string]string {
	t.Helper()
	out, err := f.sm.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
	failsWith(t, err, 0, "")
	where := map[string]string{}
	for id, labels := range out.VersionIdsToStages {
		for _, label := range labels {
			where[label] = id
		}
	}
	return where
}

var secretRules = map[string]func(*testing.T, *fixture){
	"found by name, ARN and ARN without its suffix": func(t *testing.T, f *fixture) {
		arn := *f.createSecret(t, "a/b", "x").ARN
		for _, id := range []string{"a/b", arn, arn[:len(arn)-7]} {
			if f.secretValue(t, id, "") != "x" {
				t.Error(id)
			}
		}
		_, err := f.sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
		failsWith(t, err, 400, "ResourceNotFoundException")
	},
	"create is idempotent by token, and refused otherwise": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "x")
		f.createSecret(t, "s", "x")
		_, err := f.sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("y"), ClientRequestToken: token(1)})
		failsWith(t, err, 400, "ResourceExistsException")
		_, err = f.sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("x")})
		failsWith(t, err, 400, "ResourceExistsException")
	},
	"a secret may have no value yet": func(t *testing.T, f *fixture) {
		_, err := f.sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s")})
		failsWith(t, err, 0, "")
		_, err = f.sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
		failsWith(t, err, 400, "ResourceNotFoundException")
		failsWith(t, f.putSecret(t, "s", 2, "x", "AWSPENDING"), 0, "") // the first version is current whatever it is called
		if where := f.stages(t, "s"); where["AWSCURRENT"] != *token(2) || where["AWSPENDING"] != *token(2) {
			t.Error(where)
		}
	},
	"put without labels becomes current": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		failsWith(t, f.putSecret(t, "s", 2, "2"), 0, "")
		failsWith(t, f.putSecret(t, "s", 3, "3"), 0, "")
		if f.secretValue(t, "s", "") != "3" || f.secretValue(t, "s", "AWSPREVIOUS") != "2" {
			t.Error(f.stages(t, "s"))
		}
	},
	"put with a label leaves current alone": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		failsWith(t, f.putSecret(t, "s", 2, "2", "AWSPENDING"), 0, "")
		if f.secretValue(t, "s", "") != "1" || f.secretValue(t, "s", "AWSPENDING") != "2" {
			t.Error(f.stages(t, "s"))
		}
	},
	"one token has one value": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		failsWith(t, f.putSecret(t, "s", 2, "2", "AWSPENDING"), 0, "")
		failsWith(t, f.putSecret(t, "s", 2, "2", "AWSPENDING"), 0, "")
		failsWith(t, f.putSecret(t, "s", 2, "other", "AWSPENDING"), 400, "ResourceExistsException")
		if f.secretValue(t, "s", "AWSPENDING") != "2" {
			t.Error("the value changed")
		}
	},
	"a version is read by its ID; the label must fit": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		failsWith(t, f.putSecret(t, "s", 2, "2"), 0, "")
		get := func(id *string, stage string) (string, error) {
			out, err := f.sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s"), VersionId: id, VersionStage: optional(stage)})
			if err != nil {
				return "", err
			}
			return *out.SecretString, nil
		}
		if value, err := get(token(1), ""); value != "1" {
			t.Error(value, err)
		}
		_, err := get(token(1), "AWSCURRENT")
		failsWith(t, err, 400, "InvalidRequestException")
		_, err = get(token(9), "")
		failsWith(t, err, 400, "ResourceNotFoundException")
	},
	"a rotation in four steps": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		_, err := f.sm.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("s"), ClientRequestToken: token(2)})
		failsWith(t, err, 0, "")
		_, err = f.sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s"), VersionStage: aws.String("AWSPENDING")})
		failsWith(t, err, 400, "ResourceNotFoundException") // the version is there and empty
		failsWith(t, f.putSecret(t, "s", 2, "2", "AWSPENDING"), 0, "")
		_, err = f.sm.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("s"), ClientRequestToken: token(3)})
		failsWith(t, err, 400, "InvalidRequestException")
		failsWith(t, f.restage(t, "AWSCURRENT", token(2), nil), 400, "InvalidParameterException")
		failsWith(t, f.restage(t, "AWSCURRENT", token(2), token(1)), 0, "")
		where := f.stages(t, "s")
		if where["AWSCURRENT"] != *token(2) || where["AWSPREVIOUS"] != *token(1) || where["AWSPENDING"] != *token(2) {
			t.Error(where)
		}
	},
	"current is moved, never removed": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		failsWith(t, f.restage(t, "AWSCURRENT", nil, token(1)), 400, "InvalidParameterException")
		failsWith(t, f.restage(t, "AWSCURRENT", token(9), token(1)), 400, "ResourceNotFoundException")
		failsWith(t, f.restage(t, "mine", token(1), nil), 0, "")
		failsWith(t, f.restage(t, "mine", nil, token(1)), 0, "")
		failsWith(t, f.restage(t, "mine", nil, token(1)), 400, "InvalidParameterException")
	},
	"a label that has moved does not move again": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		failsWith(t, f.putSecret(t, "s", 2, "2", "AWSPENDING"), 0, "")
		failsWith(t, f.restage(t, "AWSCURRENT", token(2), token(1)), 0, "")
		failsWith(t, f.restage(t, "AWSCURRENT", token(2), token(1)), 400, "InvalidParameterException")
		failsWith(t, f.restage(t, "AWSPENDING", nil, token(2)), 0, "")
		failsWith(t, f.restage(t, "AWSPENDING", nil, token(2)), 400, "InvalidParameterException")
		if where := f.stages(t, "s"); len(where) != 2 || where["AWSCURRENT"] != *token(2) || where["AWSPREVIOUS"] != *token(1) {
			t.Error(where)
		}
	},
	"a put that is repeated brings no label back": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		failsWith(t, f.putSecret(t, "s", 2, "2", "AWSPENDING"), 0, "")
		failsWith(t, f.restage(t, "AWSPENDING", nil, token(2)), 0, "")
		failsWith(t, f.putSecret(t, "s", 2, "2", "AWSPENDING"), 0, "")
		if where := f.stages(t, "s"); len(where) != 1 {
			t.Error(where)
		}
	},
	"the token of a rotation is taken": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		_, err := f.sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("s"), ClientRequestToken: token(2), SecretString: aws.String("2"),
			VersionStages: []string{"AWSPENDING"}, RotationToken: aws.String("who asks")})
		failsWith(t, err, 0, "")
	},
	"twenty labels and no more": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		for n := range 19 {
			failsWith(t, f.restage(t, fmt.Sprint("label-", n), token(1), nil), 0, "")
		}
		failsWith(t, f.restage(t, "one-more", token(1), nil), 400, "LimitExceededException")
		if _, ok := f.stages(t, "s")["one-more"]; ok {
			t.Error("it was attached all the same")
		}
	},
	"unlabelled versions beyond a hundred vanish after a day": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		for n := 2; n <= 110; n++ {
			failsWith(t, f.putSecret(t, "s", n, "x"), 0, "")
		}
		if n := f.versionsOf(t, "s"); n != 110 {
			t.Errorf("%d versions on the first day", n)
		}
		f.advance(25 * time.Hour)
		failsWith(t, f.putSecret(t, "s", 111, "x"), 0, "")
		if n := f.versionsOf(t, "s"); n != 100 {
			t.Errorf("%d versions on the second day", n)
		}
		_, err := f.sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s"), VersionId: token(1)})
		failsWith(t, err, 400, "ResourceNotFoundException")
	},
	"deleted at once": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		_, err := f.sm.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("s"), ForceDeleteWithoutRecovery: aws.Bool(true)})
		failsWith(t, err, 0, "")
		failsWith(t, f.putSecret(t, "s", 2, "2"), 400, "ResourceNotFoundException")
		f.createSecret(t, "s", "again")
	},
	"deleted after its window": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		_, err := f.sm.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("s"), RecoveryWindowInDays: aws.Int64(6)})
		failsWith(t, err, 400, "InvalidParameterException")
		_, err = f.sm.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("s"), RecoveryWindowInDays: aws.Int64(7)})
		failsWith(t, err, 0, "")
		_, err = f.sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
		failsWith(t, err, 400, "InvalidRequestException")
		_, err = f.sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s")})
		failsWith(t, err, 400, "InvalidRequestException")
		f.advance(7 * 24 * time.Hour)
		_, err = f.sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
		failsWith(t, err, 400, "ResourceNotFoundException")
	},
	"values and tokens have limits": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", strings.Repeat("x", 65536))
		failsWith(t, f.putSecret(t, "s", 2, strings.Repeat("x", 65537)), 400, "ValidationException")
		_, err := f.sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("x"), ClientRequestToken: aws.String("short")})
		failsWith(t, err, 400, "InvalidParameterException")
		_, err = f.sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("x"), SecretBinary: []byte("x")})
		failsWith(t, err, 400, "InvalidParameterException")
		_, err = f.sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("s")})
		failsWith(t, err, 400, "InvalidRequestException")
		_, err = f.sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("no name")})
		failsWith(t, err, 400, "ValidationException")
	},
	"bytes come back as they are": func(t *testing.T, f *fixture) {
		_, err := f.sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s"), SecretBinary: []byte{0, 255}})
		failsWith(t, err, 0, "")
		out, err := f.sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
		if err != nil || !slices.Equal(out.SecretBinary, []byte{0, 255}) || out.SecretString != nil || !out.CreatedDate.Equal(start) {
			t.Errorf("%v %v", out, err)
		}
	},
	"policies are kept": func(t *testing.T, f *fixture) {
		f.createSecret(t, "s", "1")
		policy := `{"Version":"2012-10-17"}`
		_, err := f.sm.PutResourcePolicy(t.Context(), &secretsmanager.PutResourcePolicyInput{SecretId: aws.String("s"), ResourcePolicy: aws.String("{")})
		failsWith(t, err, 400, "MalformedPolicyDocumentException")
		_, err = f.sm.PutResourcePolicy(t.Context(), &secretsmanager.PutResourcePolicyInput{SecretId: aws.String("s"), ResourcePolicy: &policy})
		failsWith(t, err, 0, "")
		out, err := f.sm.GetResourcePolicy(t.Context(), &secretsmanager.GetResourcePolicyInput{SecretId: aws.String("s")})
		if err != nil || *out.ResourcePolicy != policy {
			t.Error(out, err)
		}
		_, err = f.sm.DeleteResourcePolicy(t.Context(), &secretsmanager.DeleteResourcePolicyInput{SecretId: aws.String("s")})
		failsWith(t, err, 0, "")
	},
	"secrets are listed in pages": func(t *testing.T, f *fixture) {
		for _, name := range []string{"c", "a", "b"} {
			f.createSecret(t, name, "x")
		}
		var got []string
		pages := secretsmanager.NewListSecretsPaginator(f.sm, &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(2)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			failsWith(t, err, 0, "")
			for _, s := range page.SecretList {
				got = append(got, *s.Name+":"+s.SecretVersionsToStages[*token(1)][0])
			}
		}
		if !slices.Equal(got, []string{"a:AWSCURRENT", "b:AWSCURRENT", "c:AWSCURRENT"}) {
			t.Error(got)
		}
	},
	"what is not known is refused": func(t *testing.T, f *fixture) {
		_, err := f.sm.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: aws.String("s"), Tags: nil})
		if err == nil {
			t.Error("TagResource")
		}
		reply, body := send(t, f.url, "POST", "/", map[string]string{"X-Amz-Target": "secretsmanager.GetSecretValue"}, []byte(`{"SecretId":"s","Unheard":1}`))
		if reply.StatusCode != 400 || !strings.Contains(body, "SerializationException") {
			t.Error(reply.Status, body)
		}
		reply, body = send(t, f.url, "POST", "/", map[string]string{"X-Amz-Target": "kms.Sign"}, []byte(`{}`))
		if reply.StatusCode != 400 || !strings.Contains(body, "UnknownOperationException") {
			t.Error(reply.Status, body)
		}
	},
}

func TestSecretRules(t *testing.T) {
	for name, rule := range secretRules {
		t.Run(name, func(t *testing.T) { rule(t, serve(t, devserver.Config{})) })
	}
}

func (f *fixture) restage(t *testing.T, label string, to, from *string) error {
	t.Helper()
	_, err := f.sm.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{SecretId: aws.String("s"), VersionStage: &label, MoveToVersionId: to, RemoveFromVersionId: from})
	return err
}

// versionsOf counts all versions of the secret.
func (f *fixture) versionsOf(t *testing.T, name string) int {
	t.Helper()
	n := 0
	pages := secretsmanager.NewListSecretVersionIdsPaginator(f.sm, &secretsmanager.ListSecretVersionIdsInput{SecretId: &name, IncludeDeprecated: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		failsWith(t, err, 0, "")
		n += len(page.Versions)
	}
	return n
}
