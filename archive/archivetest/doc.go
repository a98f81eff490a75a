// Package archivetest helps to test what stands on an [archive.Store].
//
//	home := archive.Home{Bucket: "audit", Prefix: "logs", Region: "eu-central-1"}
//	mem := archivetest.NewMemory(t, home, clock)             // fails t when a promise about locks is broken
//	faulty := archivetest.NewFaulty(mem, archivetest.Fault{  // loses the reply of the first manifest
//		Op: archivetest.OpCreate, Key: "manifests/*", Call: 1,
//		Form: archivetest.AfterEffect, Err: archive.ErrUncertain,
//	})
//	store := archivetest.NewCounting(faulty)                 // counts what the code under test asks for
//	…
//	store.Count(archivetest.OpCreate, "")                    // two a batch?
//	mem.Raw().DeleteMarker("log.json")                       // what an insider does, past every lock
//
// [Memory] behaves as S3 with Object Lock does where [archive.Store] can see it: every version kept, delete markers,
// conditional creates that see only the current version, dates in whole seconds, permissions that hide things. It differs
// in one way: a caller that breaks a rule (a create without a proper lock, a wrong checksum, a shorter retention) gets
// S3's refusal, and the test fails too.
//
// [NewArchive] makes a whole archive, the same every time and without [archive.Writer], of which every part can be made
// again with something wrong; [Classes] are the ways to tamper with it, each usable on any store that has a [Tamperer]:
//
//	a, err := archivetest.NewArchive(home)
//	err = a.Put(mem.Raw())
//	key, version, err := class.Tamper(mem.Raw(), a)
//	report, err := archive.Verify(ctx, a.VerifyConfig(mem, archive.LevelFull))
//
// [TestStore] is the contract of [archive.Store] as tests. Every implementation passes it; a server that is known to
// deviate is named, with the rule and the reason, and must go on deviating for the suite to pass.
package archivetest
