// Package archive keeps audit logs as evidence: entries are signed, batched into segments, described by signed and chained
// manifests, and written once to a bucket under COMPLIANCE Object Lock. [Verify] walks every object version and gives one
// verdict.
//
// # Writing
//
//	log, err := archive.OpenLog(ctx, store, pinnedLogID)    // store: s3lock.Open, or archivetest.NewMemory in tests
//	w, err := archive.OpenWriter(ctx, archive.WriterConfig{Store: store, Log: log, Writer: "payments", Key: currentKey})
//	p, err := w.Append(ctx, archive.Record{Type: "decision", Data: json})
//	item, err := p.Wait(ctx)                                // nil error: the entry is in a locked object
//	err = w.Close(ctx)
//
// An entry is acknowledged once the manifest that names its segment is archived, never before. An error from
// [Pending.Wait] that wraps [ErrUncertain] says that the entry may be in the archive: hand it over again under the same
// [Record.ID]. Nothing is dropped, rewritten or re-ordered silently.
//
// currentKey is asked for the signing key again and again; [SigningKeys] makes one of a [keys.Provider]. When the key turns,
// the writer goes on in a new stream with the new key, and no Append waits.
//
// # Verifying
//
//	report, err := archive.Verify(ctx, archive.VerifyConfig{Store: store, LogID: pinnedLogID, Copies: copies})
//	fmt.Println(report)                                     // INTACT (full, 100 %, HMAC checked, tail unpinned)
//	os.Exit(report.Verdict.ExitStatus())
//
// Without the pinned log ID a whole forged log would not be noticed, and without a [HeadFile] from an earlier run neither
// would a removed stream or a truncated tail: the report says which of them it had. What could not be checked is reported
// as not checked, never as right. [Reader] hands out entries under the same rules.
//
// # Formats
//
// Every object kind has one type, one parser and one writer here: [Log] (log.json), [Manifest], [Receipt], [Entry] and
// [Line], the acts of control streams ([ParseAct]), [Attestation], [HeadFile]; key records are in package keys. Parsers
// accept exactly what writers produce; everything else is [ErrMalformed] or [ErrUnknownFormat]. docs/format.md has the
// bytes, docs/findings.md the findings, docs/design.md the reasons.
//
// The package knows buckets only as a [Store]; it links no network, AWS or SQL code, so an offline verifier does not
// either.
package archive
