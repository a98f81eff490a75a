package secretsmanager

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/wormlog/wormlog/keys"
)

// callError turns the error of one call into a sentence. Error codes: AWS Secrets Manager API Reference, "Common errors"
// and the errors of each action. What a service says to a call that carried a secret is left out, as it might quote it.
func callError(call, secret, version string, err error) error {
	var unreadable *smithy.DeserializationError // holds what was received
	if errors.As(err, &unreadable) {
		return fmt.Errorf("%s of %s: the reply is not one of Secrets Manager; check the endpoint", call, describe(secret, version))
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("%s of %s got no answer, so its outcome is unknown; check region, credentials, network and endpoint: %w", call, describe(secret, version), err)
	}
	said := api.ErrorCode()
	if call != "PutSecretValue" && call != "CreateSecret" {
		said += ": " + api.ErrorMessage()
	}
	what := fmt.Sprintf("%s of %s", call, describe(secret, version))
	if kind := sentinel(api); kind != nil {
		return fmt.Errorf("%w: %s failed (%s); %s", kind, what, said, hint(call, api))
	}
	return &failure{sentence: fmt.Sprintf("%s failed (%s); %s", what, said, hint(call, api)), cause: err}
}

// failure says a sentence and keeps its cause for errors.As without saying it.
type failure struct {
	sentence string
	cause    error
}

func (f *failure) Error() string { return f.sentence }
func (f *failure) Unwrap() error { return f.cause }

func sentinel(api smithy.APIError) error {
	switch api.ErrorCode() {
	case "AccessDeniedException":
		return keys.ErrDenied
	case "ResourceNotFoundException":
		return keys.ErrNotFound
	case "ResourceExistsException":
		return keys.ErrExists
	}
	return nil
}

func hint(call string, api smithy.APIError) string {
	switch api.ErrorCode() {
	case "AccessDeniedException":
		if strings.Contains(strings.ToLower(api.ErrorMessage()), "kms") {
			return "grant this role use of the KMS key of the secret (kms:Decrypt, and kms:GenerateDataKey to write)"
		}
		return "grant this role secretsmanager:" + call + " on the secret"
	case "ResourceNotFoundException":
		return "check its name and the region, or create it with wormlog init"
	case "ResourceExistsException":
		return "it was left as it is; name another secret"
	case "DecryptionFailure", "EncryptionFailure", "KMSAccessDeniedException", "KMSInvalidStateException":
		return "see that the KMS key of the secret is enabled and not scheduled for deletion"
	case "InvalidRequestException":
		return "see that the secret is not scheduled for deletion (aws secretsmanager restore-secret undoes that)"
	case "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded":
		return "retries were throttled too; try again later and see what else calls Secrets Manager in this account"
	case "LimitExceededException":
		return "raise the quota of Secrets Manager in this account"
	case "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId",
		"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature", "MissingAuthenticationToken":
		return "renew the AWS credentials and check this machine's clock"
	}
	if api.ErrorFault() == smithy.FaultServer {
		if strings.Contains(strings.ToLower(api.ErrorMessage()), "kms") {
			return "see that the KMS key of the secret is enabled and not scheduled for deletion, and try again: the outcome is unknown"
		}
		return "its outcome is unknown; try again"
	}
	return "see the action's errors in the Secrets Manager API Reference"
}
