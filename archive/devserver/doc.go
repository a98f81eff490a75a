// Package devserver is Amazon S3 with enforced Object Lock, and the part of
// AWS Secrets Manager that wormlog uses, in process and on one loopback
// address. It exists for development and tests: its locks hold only against
// those who come through its HTTP interface, and only while it runs.
//
//	srv, err := devserver.New(devserver.Config{})
//	url, err := srv.Start("127.0.0.1:0")
//	defer srv.Close()
//	err = srv.CreateBucket("audit", true)
//	cmd.Env = append(os.Environ(), srv.Env("audit")...)
//
// # What is as on AWS
//
// Versions, delete markers, conditional writes, checksums, retention, legal
// holds and their error codes and texts follow the Amazon S3 User Guide ("How
// S3 Object Lock works", "Conditional writes", "Checking object integrity")
// and the S3 API reference. In particular a COMPLIANCE lock is never
// shortened, changed or deleted through the interface; a delete without a
// version ID succeeds and stacks a delete marker; a condition sees only the
// current version, so a marker counts as absent; a write under a lock needs a
// checksum. Secret versions and staging labels follow the Secrets Manager API
// reference.
//
// # What is not
//
//   - Signatures are not verified; a request must only carry a credential, whose
//     access key ID then names the caller. See [Server.RejectCredentials].
//   - Bucket policies, lifecycle rules, encryption and replication settings are
//     stored and returned, and nothing acts on them. See [Server.Deny] for permissions.
//   - Multipart uploads, copies, tags, ACLs, event holds, ListObjects before its
//     second version, URLs presigned by Signature Version 2, and every sub-resource,
//     parameter or x-amz header that is not known here are answered with 501
//     NotImplemented and change nothing. (The AWS CLI's "s3 cp" uploads in parts
//     from 8 MiB; "s3api put-object" never does.)
//   - RotateSecret labels an empty version AWSPENDING and invokes no function; the
//     RotationToken of PutSecretValue is taken and not checked. Secret values may
//     be empty texts, which AWS refuses; versions with a label are all described
//     at once, where AWS is eventually consistent.
//   - An object has at most 1 GiB and passes through memory whole.
//   - Keys of one request are judged one at a time; there are no 409 races
//     between conditional writes unless a [Fault] makes one.
//
// # For tests
//
// [Config.Now] moves time; [Server.Deny] takes single permissions away;
// [Server.Inject] loses requests and replies; [Server.Misorder] breaks the
// order of listings; [Server.Counts] counts requests; [Server.Raw] is the back
// door for tampering beyond what the interface allows.
//
// # Why not gofakes3
//
// gofakes3 knows no Object Lock, accepts wrong checksums, and treats a
// sub-resource it does not know as the object itself, so that PutObjectRetention
// overwrites the body. Versions, locks, conditions, checksums, listing order and
// routing would all have to be intercepted in front of it, which leaves it
// nothing to do. This package is its own server on net/http over a map.
package devserver
