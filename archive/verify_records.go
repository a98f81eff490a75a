package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// keyLoader judges key records. Those that genesis's authorities did not sign are judged last: by then all keys of role
// online are known, which genesis alone decides.
type keyLoader struct {
	*verifier
	waiting map[keys.ID]bool // records that were put off: none of role online is among them
	last    bool             // nothing is put off any more
}

// load judges all versions of a key record, oldest first, and believes the first that holds. It is in the keyring once it
// is judged. False: that was put off.
func (l *keyLoader) load(ctx context.Context, id keys.ID, g group) (judged bool) {
	k := &keyState{key: g.key}
	originals := g.originals()
	if len(originals) == 0 {
		k.refused = "only delete markers are left of it"
		l.find(CodeRecordMissing, g.key, g.versions[0].VersionID, "the key record is deleted: %s", k.refused)
		l.admit(id, k)
		return true
	}
	var first *recordRefusal
	for _, ver := range originals {
		b, o, err := l.get(ctx, g.key, ver.VersionID, keys.MaxRecord)
		if err != nil && !errors.Is(err, ErrTooLarge) {
			l.find(CodeReadFailed, g.key, ver.VersionID, "it could not be read: %v", err)
			k.unread, k.refused = true, err.Error()
			l.admit(id, k)
			return true
		}
		refusal := l.judge(ctx, id, k, b, o, err)
		switch {
		case refusal == nil:
			k.object = o
			l.verifier.keep(o, b)
			if k.usable = l.judgeExt(g.key, o.VersionID, k.record.Ext); !k.usable {
				k.refused = "it carries a critical extension that this release does not know"
			}
			l.judgeOthers(g, o.VersionID)
			l.admit(id, k)
			return true
		case refusal.wait:
			return false
		case first == nil:
			first = refusal
		}
	}
	l.refuse(id, k, originals[0].VersionID, first)
	return true
}

// admit puts a key into the keyring, and into what the acts say of it if they are known already.
func (l *keyLoader) admit(id keys.ID, k *keyState) {
	l.keysMu.Lock()
	l.keyring[id] = k
	l.keysMu.Unlock()
	l.acts.inherit(l.verifier, id)
}

// recordRefusal says why a version of a key record is not believed.
type recordRefusal struct {
	code   Code // none: the damage is to the record of the key that signed it, and is reported there
	reason string
	wait   bool    // it is to be judged later
	unread bool    // so is what vouches for it
	signer keys.ID // of which there is no record
}

// refuse leaves a key without a record that is believed.
func (l *keyLoader) refuse(id keys.ID, k *keyState, version string, r *recordRefusal) {
	k.refused, k.unread = r.reason, r.unread
	if r.code != "" {
		l.find(r.code, k.key, version, "it counts as absent: %s", r.reason)
	}
	if r.signer != "" {
		l.unvouched[r.signer] = append(l.unvouched[r.signer], id)
	}
	k.record, k.signer, k.voucher = keys.Record{}, "", nil
	l.admit(id, k)
}

// judge judges one version, and fills in what is known of it.
func (l *keyLoader) judge(ctx context.Context, id keys.ID, k *keyState, b []byte, o Object, err error) *recordRefusal {
	var line lineobject.Object
	if err == nil {
		k.record, line, err = l.log.readRecord(id, b)
	}
	if err == nil && l.log.byGenesis(k.record, line) {
		k.signer, k.voucher = keys.ID(line.KeyID), nil
		err = l.log.checkByGenesis(k.record, line)
	} else if err == nil {
		return l.judgeVouched(ctx, k, line, o)
	}
	if err != nil {
		return &recordRefusal{code: recordCode(err), reason: err.Error()}
	}
	return nil
}

// judgeVouched judges a record that a key signed which genesis does not name: it must be one of role online.
func (l *keyLoader) judgeVouched(ctx context.Context, k *keyState, line lineobject.Object, o Object) *recordRefusal {
	if !l.last {
		return &recordRefusal{wait: true}
	}
	signer := keys.ID(line.KeyID)
	if err := signer.Valid(); err != nil {
		return &recordRefusal{code: CodeRecordUnsigned, reason: fmt.Sprintf("what signed it is no key: %v", err)}
	}
	by := l.knownKey(signer)
	if by == nil && !l.waiting[signer] && l.isNew(o.LastModified) { // then its voucher may be as new
		l.learnKey(ctx, signer)
		by = l.knownKey(signer)
	}
	switch {
	case l.waiting[signer]:
		return &recordRefusal{code: CodeRecordUnsigned, reason: fmt.Sprintf("the key %s signed it, whose role signs no key records", signer)}
	case by == nil && l.keysCut:
		return &recordRefusal{unread: true, reason: fmt.Sprintf("the record of the key %s, which signed it, was not found, and not all could be listed", signer)}
	case by == nil:
		return &recordRefusal{signer: signer, reason: fmt.Sprintf("there is no record of the key %s, which signed it", signer)}
	case by.record.Role != "" && by.record.Role != keys.RoleOnline:
		return &recordRefusal{code: CodeRecordUnsigned, reason: fmt.Sprintf("the key %s signed it, whose role %s signs no key records", signer, by.record.Role)}
	case !by.usable:
		return &recordRefusal{unread: by.unread, reason: fmt.Sprintf("the record of the key %s, which signed it, could not be used: %s", signer, by.refused)}
	}
	if err := keys.VerifyLine(keys.KindKey, l.log.ID, signer, by.record.PublicKey, line); err != nil {
		return &recordRefusal{code: CodeRecordUnsigned, reason: err.Error()}
	}
	k.signer, k.voucher = signer, by
	return nil
}

// knownVoucher is the record of a key of role online that this run believes.
func (v *verifier) knownVoucher(id keys.ID) (keys.Record, error) {
	k := v.knownKey(id)
	if k == nil || !k.usable {
		return keys.Record{}, ErrNotFound
	}
	return k.record, mayVouch(k.record, id)
}

func recordCode(err error) Code {
	switch {
	case errors.Is(err, errRecordName):
		return CodeRecordAltered
	case errors.Is(err, keys.ErrUnknownFormat), errors.Is(err, ErrUnknownFormat):
		return CodeFormat
	case errors.Is(err, keys.ErrBadSignature), errors.Is(err, ErrWrongLog), errors.Is(err, errUnknownSigner):
		return CodeRecordUnsigned
	}
	return CodeRecordAltered
}

// vouchedEarly says whether S3 dates a record before that of the key that signed it, which then could not vouch for
// anything.
func (v *verifier) vouchedEarly(k *keyState) bool {
	return k.voucher != nil && v.dated(k.object) && v.dated(k.voucher.object) &&
		k.object.LastModified.Add(clockSkew).Before(k.voucher.object.LastModified)
}
