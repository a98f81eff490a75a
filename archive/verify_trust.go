package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// trustFile is the trust file that is laid over the store, nil if there is none.
func (v *verifier) trustFile() *TrustFile {
	if o, ok := v.Store.(*overlay); ok {
		return o.trust.file
	}
	return nil
}

// trustedActs reads what the trust file by itself says, with its own dates. These acts are in force whatever the copy holds
// in their place or beside them. A file that is not whole is not used.
func (v *verifier) trustedActs(ctx context.Context) ([]takenAct, error) {
	o, ok := v.Store.(*overlay)
	if !ok {
		return nil, nil
	}
	a, err := readAuthority(ctx, o.trust, v.LogID)
	if err != nil {
		return nil, fmt.Errorf("verify: the trust file: %w", err)
	}
	if unsure, _ := a.unsure(); len(unsure) > 0 {
		return nil, fmt.Errorf("verify: the trust file of %s is not whole, so it is not used: %s", day(o.trust.file.Exported.Time), unsure[0])
	}
	return a.collecting.list, nil
}

// errTrustAtHome: where the archive itself is, nothing may stand in for what is missing.
var errTrustAtHome = errors.New("verify: a trust file stands in for what a copy of the archive lacks, and this is the log's home, where it must be seen; verify it without the trust file")

// judgeTrust compares what the copy holds under the keys of the trust file's objects with those. The file's are believed,
// so nothing else would report another that lies in their place.
func (v *verifier) judgeTrust(ctx context.Context) {
	o, ok := v.Store.(*overlay)
	if !ok {
		return
	}
	for _, prefix := range []string{authorityArea, keysPrefix, GenesisKey} {
		for g, err := range groups(ctx, o.Store, prefix, "") {
			if err != nil {
				if ctx.Err() == nil {
					v.find(CodeListFailed, prefix, "", "its versions could not be listed: %v", err)
				}
				break
			}
			if t := o.trust.find(g.key); t != nil {
				v.judgeTrusted(ctx, g, t)
			}
		}
	}
}

// judgeTrusted judges the versions that a copy holds beside one of the trust file: one must be the same, or as good.
func (v *verifier) judgeTrusted(ctx context.Context, g group, t *TrustObject) {
	var differs Code
	var version, reason string
	for _, ver := range g.originals() {
		b, _, err := v.get(ctx, g.key, ver.VersionID, int64(max(len(t.Body), maxGenesisBytes)))
		if err != nil && !errors.Is(err, ErrTooLarge) {
			v.find(CodeReadFailed, g.key, ver.VersionID, "it could not be read: %v", err)
			return
		}
		if err == nil && bytes.Equal(b, t.Body) {
			return
		}
		code, why := v.differing(g.key, b, err)
		if code == "" {
			return
		}
		if differs == "" {
			differs, version, reason = code, ver.VersionID, why
		}
	}
	if differs != "" {
		v.find(differs, g.key, version, "the trust file of %s holds another one, which is believed: %s", day(v.trustFile().Exported.Time), reason)
	}
}

// differing says what it means that bytes are not those of the trust file; nothing, if they hold by themselves as the only
// object that can be there.
func (v *verifier) differing(key string, b []byte, err error) (Code, string) {
	id, record := recordID(key)
	switch {
	case key == GenesisKey:
		_, err = v.believeGenesis(b, err)
		return refusedAs(err, CodeGenesisAltered)
	case record && err == nil:
		_, err = v.log.checkRecord(id, b, v.knownVoucher)
		return refusedAs(err, recordCode(err))
	case record:
		return CodeRecordAltered, err.Error()
	case strings.HasPrefix(key, authorityArea+"manifests/"):
		return CodeManifestAltered, fmt.Sprintf("its SHA-256 is %s", ManifestDigest(b))
	}
	return CodeSegmentAltered, fmt.Sprintf("it has %d bytes", len(b))
}

func refusedAs(err error, code Code) (Code, string) {
	if err == nil {
		return "", ""
	}
	return code, err.Error()
}

// beyondTrust says whether anything was met that no trust file brings along.
func (v *verifier) beyondTrust() bool {
	return slices.ContainsFunc(v.report.Heads, func(h Head) bool { return !strings.HasPrefix(h.Stream, ControlAuthority+".") })
}
