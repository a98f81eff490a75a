// Package secretsmanager keeps the secrets of a wormlog in AWS Secrets Manager and rotates them: signing bundles, the
// verification copies of HMAC keys, and the key of the online authority.
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
// # Rotation
//
// [Rotation] needs to know where key records are and who signs them:
//
//	rotation := &secretsmanager.Rotation{
//		API: client, Log: logID, Copies: copies,
//		Record:  recordFromTheArchive, // wraps keys.ErrNotFound where there is none
//		Publish: signAndStore,
//	}
//	err := rotation.Step(ctx, event)                          // one step, for Secrets Manager's own rotation
//	done, err := rotation.Run(ctx, "wormlog/payments")        // all of them, for people
//
// The steps, after each of which a rotation may stop, for any time, and be gone on with:
//
//	createSecret  a key is made and put into the version of the rotation, AWSPENDING
//	setSecret     its verification copy is stored (HMAC), then its record is published
//	testSecret    record and copy are read back, and the key signs and verifies
//	finishSecret  the same again; then AWSCURRENT moves to the version, and AWSPENDING is taken off
//
// A version holds one key for good, for Secrets Manager refuses a second value under the same ClientRequestToken. So
// however often steps are repeated, and by however many at once, one rotation makes one key; a key whose storing failed was
// seen by nobody, and no record of it exists. Before AWSCURRENT moves the record is in the archive, so no writer can get a
// key that verifiers do not know. The key before stays, AWSPREVIOUS, until the next rotation.
//
// The record of the new key names the key before it, and the secret and version that hold it, and its ID is a hash of that.
// Every step makes the record again and compares: a key that was pasted into the secret, or made to follow a key that is
// not in force any more, does not fit and goes no further. The sentence says how to give that rotation up.
//
// With [KeySpec] a key replaces whatever the secret holds: how the recovery authority's word puts a lost or stolen online
// key, or the key that signs acts, out of use.
//
// A rotation needs secretsmanager:DescribeSecret, GetSecretValue, PutSecretValue and UpdateSecretVersionStage on the
// secret, and for HMAC keys CreateSecret, GetSecretValue and PutSecretValue on the copies. A KeySpec for a secret that does
// not exist needs CreateSecret on it as well.
//
// # Errors
//
// Retries of throttling and of lost connections are the SDK's. What is left is one sentence that names the secret and
// says what to do; it wraps [keys.ErrDenied], [keys.ErrNotFound], [keys.ErrNoVerificationCopy], [keys.ErrMismatch] or
// [keys.ErrExists] where callers branch. No error holds a secret value or the text of a service that was sent one.
//
// # Limits
//
// Secrets Manager is eventually consistent. A step that does not yet see what the one before it did fails, changes nothing,
// and is to be repeated; Secrets Manager does so by itself.
//
// Secrets Manager has no write-once mode: whoever may call DeleteSecret on a verification copy can end the verification
// of those HMACs (manifests and their hashes stay verifiable). Deny it in the secret's resource policy.
//
// A rotation that was given up between setSecret and finishSecret leaves the record and the copy of a key that never
// signed. Somebody who takes AWSPENDING off a version gives its rotation up.
package secretsmanager
