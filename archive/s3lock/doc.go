// Package s3lock is [archive.Store] on Amazon S3 with Object Lock.
//
//	store, err := s3lock.Open(ctx, s3lock.Config{Bucket: "acme-audit", Prefix: "payments"})
//	created, err := store.Create(ctx, "log.json", body, archive.CreateOptions{…})
//
// Credentials, region and proxies come from where the AWS SDKs look for them. The endpoint does not: one that the
// environment or a configuration file names is refused unless it is S3's own, because such a variable would send the
// archive elsewhere. [Config.Endpoint] names another server on purpose.
//
// # Writing
//
// A Create is one PUT request, never repeated here, with If-None-Match: *, a SHA-256 that S3 checks, mode COMPLIANCE and
// an explicit retain-until date (Amazon S3 User Guide, "Locking objects with Object Lock", "Conditional writes"). What an
// answer means for the outcome is said by the sentinel that its error wraps; see [archive.Store].
//
// # Reading
//
// S3 shows a version's lock only to those who may read it, and otherwise answers as if there were none (API reference,
// HeadObject). So a version without lock headers is asked for by GetObjectRetention and GetObjectLegalHold before it
// counts as unlocked. The hold header is also absent if no hold was ever set; that the caller may read holds is remembered
// for a while for each top-level part of the archive, so that a locked version without hold normally costs one request.
//
// # Trusting a bucket
//
// [Store.Check] reads a bucket's settings and says which of them an archive relies on are wrong. [Store.Canary] writes a
// small object with a lock of one day and tries to break that lock: servers that accept locks without enforcing them exist.
package s3lock
