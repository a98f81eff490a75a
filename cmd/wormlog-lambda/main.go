// Command wormlog-lambda is wormlog on AWS Lambda: one bootstrap for the runtime provided.al2023, whose handler name says
// what the function does. `make lambda` builds it, as .bin/wormlog-lambda-arm64.zip and -amd64.zip.
//
//	handler     what calls it                what it does
//	rotation    Secrets Manager's rotation   one step of turning a signing key over, see docs/keys.md
//
// Settings come from WORMLOG_* variables alone; there is no file, and no flags. The log must be pinned by WORMLOG_LOG_ID:
// nobody looks at a function's output for days, and it is not to sign for whatever log it finds.
//
// # The function rotation
//
// Make the function, let Secrets Manager call it, and put the secret under its schedule:
//
//	aws lambda create-function --function-name wormlog-rotation --runtime provided.al2023 --architectures arm64 \
//	    --handler rotation --timeout 300 --memory-size 256 --role arn:aws:iam::111122223333:role/wormlog-rotation \
//	    --zip-file fileb://.bin/wormlog-lambda-arm64.zip \
//	    --environment 'Variables={WORMLOG_BUCKET=acme-audit,WORMLOG_LOG_ID=<as init printed it>}'
//	aws lambda add-permission --function-name wormlog-rotation --statement-id rotation --action lambda:InvokeFunction \
//	    --principal secretsmanager.amazonaws.com --source-account 111122223333
//	aws secretsmanager rotate-secret --secret-id wormlog/acme.com/payments-audit/main \
//	    --rotation-lambda-arn arn:aws:lambda:eu-central-1:111122223333:function:wormlog-rotation \
//	    --rotation-rules AutomaticallyAfterDays=90
//
// Variables, beside those two: WORMLOG_PREFIX and WORMLOG_REGION as for the command; WORMLOG_AUTHORITY_SECRET,
// WORMLOG_VERIFICATION_SECRETS and WORMLOG_ACTS_SECRET where the names are not the default ones;
// WORMLOG_SIGNATURE_ALGORITHM to have the next key sign by another algorithm (unset: by that of the key before);
// WORMLOG_KEY_ROTATION_DAYS if the schedule is not 90 days, and WORMLOG_RETENTION if a writer keeps entries for longer than
// the log asks for: both say until when key records must be locked. One function serves all writers of the log; which
// secret is rotated is in the event.
//
// Its role needs these statements, and those of AWSLambdaBasicExecutionRole. Without the one on VERIFICATION_SECRETS only
// writers that sign by ed25519 can be rotated. Without the one on ACTS_SECRET the function's log says that the old key was
// not recorded as retired, and the rotation succeeds.
//
//	[{"Effect": "Allow", "Resource": "SIGNING_SECRETS",
//	  "Action": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"]},
//	 {"Effect": "Allow", "Resource": "AUTHORITY_SECRET", "Action": "secretsmanager:GetSecretValue"},
//	 {"Effect": "Allow", "Resource": "ACTS_SECRET", "Action": "secretsmanager:GetSecretValue"},
//	 {"Effect": "Allow", "Resource": "VERIFICATION_SECRETS/*",
//	  "Action": ["secretsmanager:CreateSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"]},
//	 {"Effect": "Allow", "Resource": "arn:aws:s3:::acme-audit",
//	  "Action": ["s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketObjectLockConfiguration", "s3:GetBucketVersioning"]},
//	 {"Effect": "Allow", "Resource": ["arn:aws:s3:::acme-audit/log.json", "arn:aws:s3:::acme-audit/keys/*", "arn:aws:s3:::acme-audit/control/*"],
//	  "Action": ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention"]},
//	 {"Effect": "Allow", "Resource": ["arn:aws:s3:::acme-audit/keys/*", "arn:aws:s3:::acme-audit/control/authority/*"],
//	  "Action": ["s3:PutObject", "s3:PutObjectRetention"]},
//	 {"Effect": "Allow", "Resource": "arn:aws:s3:::acme-audit/log.json", "Action": "s3:PutObjectRetention"}]
//
// Every step may run twice, and at any later time. A step that fails returns one sentence, which Secrets Manager keeps in
// CloudTrail (RotationFailed) and the function in its log, and the next attempt goes on from there. The log is JSON, a
// line for each thing done: steps, secrets' names and version IDs, key IDs; never a secret.
package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/wormlog/wormlog/internal/config"
)

func main() {
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	slog.SetDefault(logger) // the runtime client logs the errors that it reports
	if err := run(os.Environ(), logger); err != nil {
		logger.Error(err.Error())
		os.Exit(1)
	}
}

// run serves invocations; it returns only if it cannot.
func run(environ []string, logger *slog.Logger) error {
	name := variable(environ, "_HANDLER")
	if variable(environ, "AWS_LAMBDA_RUNTIME_API") == "" {
		return errors.New("this is the bootstrap of a Lambda function, and AWS_LAMBDA_RUNTIME_API is not set; on a machine use the command wormlog")
	}
	switch name {
	case "rotation":
		lambda.Start(&rotation{environ: environ, logger: logger.With("software", software())})
		return nil
	}
	return fmt.Errorf("there is no handler %.64q in wormlog-lambda; configure the function's handler as rotation", name)
}

func variable(environ []string, name string) (value string) {
	for _, v := range environ {
		if is, ok := strings.CutPrefix(v, name+"="); ok {
			value = is
		}
	}
	return value
}

// software names this program in manifests.
func software() string { return "wormlog-lambda " + config.Version() }
