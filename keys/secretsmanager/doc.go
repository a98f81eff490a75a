// Package secretsmanager keeps the secrets of a wormlog in AWS Secrets Manager: signing bundles, the verification copies
// of HMAC keys, and the online authority key.
//
// A writer reads one secret and nothing else:
//
//	client := sm.NewFromConfig(cfg) // github.com/aws/aws-sdk-go-v2/service/secretsmanager
//	provider, err := secretsmanager.NewProvider(secretsmanager.Config{API: client, SecretID: "wormlog/payments"})
//	bundle, err := provider.Current(ctx)
//
// A verifier that checks HMACs reads one secret per key, because neither staging labels (20 over all versions of a secret)
// nor unlabelled versions (deleted at will beyond 100) survive years of rotation:
//
//	copies := secretsmanager.Copies{API: client, Prefix: "wormlog/payments/verification"}
//	c, err := copies.EntryKey(ctx, keyID)
//
// Setting up a log stores them; [Store] and [Copies.PutCopy] never overwrite what is there.
//
// # Errors
//
// Retries of throttling and of lost connections are the SDK's. What is left is one sentence that names the secret and
// says what to do; it wraps [keys.ErrDenied], [keys.ErrNotFound], [keys.ErrNoVerificationCopy] or [keys.ErrExists] where
// callers branch. No error holds a secret value or the text of a service that was sent one.
//
// # Limits
//
// Secrets Manager has no write-once mode: whoever may call DeleteSecret on a verification copy can end the verification
// of those HMACs (manifests and their hashes stay verifiable). Deny it in the secret's resource policy.
package secretsmanager
