package archive

import "fmt"

// Code is the stable name of a kind of finding. docs/findings.md has a section for each.
type Code string

// Codes of findings, in the order in which a verification meets them. The verdict beside each is its usual one; where a
// rule of docs/format.md makes it another, the finding says so.
const (
	CodeEmpty             Code = "empty-archive"         // NOT_CHECKED
	CodeOutOfScope        Code = "nothing-in-scope"      // NOT_CHECKED
	CodeListFailed        Code = "listing-failed"        // NOT_CHECKED
	CodeReadFailed        Code = "read-failed"           // NOT_CHECKED
	CodeLockHidden        Code = "lock-hidden"           // NOT_CHECKED
	CodeSettingsHidden    Code = "settings-hidden"       // NOT_CHECKED
	CodeGenesisAltered    Code = "genesis-altered"       // TAMPERED
	CodeGenesisMissing    Code = "genesis-missing"       // MISSING
	CodeUnpinned          Code = "genesis-unpinned"      // INFORMATION, or ATTENTION where pinning is required
	CodeFormat            Code = "unknown-format"        // UNVERIFIABLE
	CodeCritical          Code = "unknown-critical"      // UNVERIFIABLE
	CodeExt               Code = "unknown-extension"     // INFORMATION
	CodeRecordAltered     Code = "key-record-altered"    // TAMPERED
	CodeRecordUnsigned    Code = "key-record-unsigned"   // TAMPERED
	CodeRecordMissing     Code = "key-record-missing"    // MISSING
	CodeKeyUnknown        Code = "key-unknown"           // UNVERIFIABLE
	CodeKeyEarly          Code = "key-not-yet-valid"     // UNVERIFIABLE
	CodeKeyRole           Code = "key-not-allowed"       // TAMPERED
	CodeKeyCompromised    Code = "key-compromised"       // UNVERIFIABLE
	CodeKeyRetired        Code = "key-retired"           // INFORMATION, ATTENTION after a day
	CodeManifestMissing   Code = "manifest-missing"      // MISSING
	CodeManifestMalformed Code = "manifest-malformed"    // TAMPERED
	CodeManifestAltered   Code = "manifest-altered"      // TAMPERED
	CodeManifestSignature Code = "manifest-signature"    // TAMPERED
	CodeManifestForeign   Code = "manifest-foreign"      // TAMPERED
	CodeStreamKey         Code = "stream-key-bypassed"   // TAMPERED
	CodeChain             Code = "chain-broken"          // TAMPERED
	CodeFork              Code = "stream-forked"         // TAMPERED
	CodeAfterFinal        Code = "after-final"           // TAMPERED
	CodeTree              Code = "tree-mismatch"         // TAMPERED
	CodeStreamUnverified  Code = "stream-unverifiable"   // UNVERIFIABLE
	CodeSegmentMissing    Code = "segment-missing"       // MISSING
	CodeSegmentAltered    Code = "segment-altered"       // TAMPERED
	CodeSegmentFrame      Code = "segment-frame"         // TAMPERED
	CodeSegmentContent    Code = "segment-content"       // TAMPERED
	CodeEntryMalformed    Code = "entry-malformed"       // TAMPERED
	CodeEntrySignature    Code = "entry-signature"       // TAMPERED
	CodeEntryPlace        Code = "entry-place"           // TAMPERED: stream, index or time do not fit
	CodeActMisplaced      Code = "act-misplaced"         // TAMPERED
	CodeActMalformed      Code = "act-malformed"         // UNVERIFIABLE
	CodeHMACUnchecked     Code = "hmac-unchecked"        // INFORMATION, or NOT_CHECKED where HMACs are required
	CodeVersionReplaced   Code = "version-replaced"      // MISSING, or SHADOWED if the pinned version still exists
	CodeVersionExtra      Code = "version-extra"         // SHADOWED
	CodeDeleteMarker      Code = "delete-marker"         // SHADOWED
	CodeUnlocked          Code = "unlocked"              // UNDER_RETAINED
	CodeGovernance        Code = "governance"            // UNDER_RETAINED
	CodeRetentionShort    Code = "retention-short"       // UNDER_RETAINED: the lock ends before what was promised
	CodePromiseShort      Code = "promise-short"         // UNDER_RETAINED: the promise is below the policy
	CodeHoldMissing       Code = "hold-missing"          // UNDER_RETAINED
	CodeAnchorDue         Code = "anchor-due"            // ATTENTION
	CodeAnchorLapsed      Code = "anchor-lapsed"         // UNDER_RETAINED
	CodeRotationOverdue   Code = "rotation-overdue"      // ATTENTION
	CodeBucketLock        Code = "bucket-lock"           // UNDER_RETAINED
	CodeBucketVersioning  Code = "bucket-versioning"     // UNDER_RETAINED
	CodeBucketLifecycle   Code = "bucket-lifecycle"      // ATTENTION
	CodeOrphan            Code = "orphan-segment"        // INFORMATION, ATTENTION after a day
	CodeUnknownObject     Code = "unknown-object"        // INFORMATION, ATTENTION after a day
	CodeSilent            Code = "stream-silent"         // ATTENTION
	CodeUnclosed          Code = "stream-unclosed"       // INFORMATION
	CodeExpired           Code = "expired"               // INFORMATION: absent, and recorded as disposed
	CodeStreamMissing     Code = "stream-missing"        // MISSING
	CodeRolledBack        Code = "head-rolled-back"      // MISSING
	CodeDiverged          Code = "head-diverged"         // TAMPERED
	CodeReceiptInvalid    Code = "receipt-invalid"       // UNVERIFIABLE
	CodeReceiptMissing    Code = "receipt-without-entry" // MISSING
	CodeReceiptDiffers    Code = "receipt-differs"       // TAMPERED
	CodeLineMissing       Code = "line-without-entry"    // MISSING
	CodeLineDiffers       Code = "line-differs"          // TAMPERED
)

var codes = map[Code]Verdict{
	CodeEmpty: NotChecked, CodeOutOfScope: NotChecked, CodeListFailed: NotChecked, CodeReadFailed: NotChecked,
	CodeLockHidden: NotChecked, CodeSettingsHidden: NotChecked, CodeGenesisAltered: Tampered, CodeGenesisMissing: Missing,
	CodeUnpinned: Information, CodeFormat: Unverifiable, CodeCritical: Unverifiable, CodeExt: Information,
	CodeRecordAltered: Tampered, CodeRecordUnsigned: Tampered, CodeRecordMissing: Missing, CodeKeyUnknown: Unverifiable,
	CodeKeyEarly: Unverifiable, CodeKeyRole: Tampered, CodeKeyCompromised: Unverifiable, CodeKeyRetired: Information,
	CodeManifestMissing: Missing, CodeManifestMalformed: Tampered, CodeManifestAltered: Tampered,
	CodeManifestSignature: Tampered, CodeManifestForeign: Tampered, CodeStreamKey: Tampered, CodeChain: Tampered,
	CodeFork: Tampered, CodeAfterFinal: Tampered, CodeTree: Tampered, CodeStreamUnverified: Unverifiable,
	CodeSegmentMissing: Missing, CodeSegmentAltered: Tampered, CodeSegmentFrame: Tampered, CodeSegmentContent: Tampered,
	CodeEntryMalformed: Tampered, CodeEntrySignature: Tampered, CodeEntryPlace: Tampered, CodeActMisplaced: Tampered,
	CodeActMalformed: Unverifiable, CodeHMACUnchecked: Information, CodeVersionReplaced: Missing,
	CodeVersionExtra: Shadowed, CodeDeleteMarker: Shadowed, CodeUnlocked: UnderRetained, CodeGovernance: UnderRetained,
	CodeRetentionShort: UnderRetained, CodePromiseShort: UnderRetained, CodeHoldMissing: UnderRetained,
	CodeAnchorDue: Attention, CodeAnchorLapsed: UnderRetained, CodeRotationOverdue: Attention, CodeBucketLock: UnderRetained,
	CodeBucketVersioning: UnderRetained, CodeBucketLifecycle: Attention, CodeOrphan: Information,
	CodeUnknownObject: Information, CodeSilent: Attention, CodeUnclosed: Information, CodeExpired: Information,
	CodeStreamMissing: Missing, CodeRolledBack: Missing, CodeDiverged: Tampered, CodeReceiptInvalid: Unverifiable,
	CodeReceiptMissing: Missing, CodeReceiptDiffers: Tampered, CodeLineMissing: Missing, CodeLineDiffers: Tampered,
}

// Known says whether this release reports findings of the code.
func (c Code) Known() bool { _, ok := codes[c]; return ok }

// check accepts what may be a code, of a later release too: 1 to 64 of [a-z0-9-].
func (c Code) check() error {
	ok := len(c) >= 1 && len(c) <= 64
	for i := 0; ok && i < len(c); i++ {
		ok = c[i] >= 'a' && c[i] <= 'z' || c[i] >= '0' && c[i] <= '9' || c[i] == '-'
	}
	if !ok {
		return fmt.Errorf("%q is no finding's code", string(c))
	}
	return nil
}
