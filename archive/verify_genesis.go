package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/wormlog/wormlog/internal/lineobject"
)

// judgeGenesis finds and judges log.json. Without one that can be believed nothing else is judged, and ok is false.
func (v *verifier) judgeGenesis(ctx context.Context) (ok bool, err error) {
	if v.LogID != "" {
		v.report.Genesis = genesisPinned
		v.report.LogID = v.LogID
	} else {
		v.judgeUnpinned()
	}
	g, found, listErr := v.genesisVersions(ctx)
	if listErr != nil {
		return false, fmt.Errorf("verify: listing the versions of log.json in the bucket %s: %w", v.Store.Home().Bucket, listErr)
	}
	if !found {
		v.judgeNoGenesis(ctx)
		return false, nil
	}
	chosen, o, ok := v.chooseGenesis(ctx, g)
	if !ok {
		return false, nil
	}
	v.log = chosen
	v.place(chosen.Home)
	v.keep(o, chosen.Bytes)
	v.keyring[genesisAnchor] = &keyState{key: GenesisKey, object: o}
	v.judgeOthers(g, o.VersionID)
	v.judgeExt(GenesisKey, o.VersionID, chosen.Ext)
	return true, nil
}

func (v *verifier) judgeUnpinned() {
	verdict := Information
	if v.RequirePin {
		verdict = Attention
	}
	v.findAs(verdict, CodeUnpinned, GenesisKey, "", "no log ID is pinned, so a whole forged log under the same name would not be noticed")
}

func (v *verifier) genesisVersions(ctx context.Context) (g group, found bool, err error) {
	err = retryRead(ctx, func() error {
		for next, err := range groups(ctx, v.Store, GenesisKey, "") {
			if err != nil {
				return err
			}
			if next.key == GenesisKey {
				g, found = next, true
			}
			return nil
		}
		return nil
	})
	if errors.Is(err, ErrDenied) {
		v.find(CodeListFailed, GenesisKey, "", "its versions could not be listed: %v", err)
		return g, false, nil
	}
	return g, found, err
}

// judgeNoGenesis tells an archive whose log.json is gone from a place where nothing is.
func (v *verifier) judgeNoGenesis(ctx context.Context) {
	for _, f := range v.report.Findings {
		if f.Code == CodeListFailed {
			return
		}
	}
	anything := false
	whole := v.list(ctx, "", "", func(group) bool {
		anything = true
		return false
	})
	switch {
	case anything:
		v.find(CodeGenesisMissing, GenesisKey, "", "log.json is gone, so nothing that is here can be judged")
	case whole:
		v.find(CodeEmpty, "", "", "there is no object under this prefix, so nothing was checked")
	}
}

// chooseGenesis reads the versions of log.json, oldest first, and believes the one that hashes to the pinned log ID, or
// without a pin the oldest one that its own online authority signed.
func (v *verifier) chooseGenesis(ctx context.Context, g group) (*Log, Object, bool) {
	originals := g.originals()
	if len(originals) == 0 {
		v.find(CodeGenesisMissing, GenesisKey, g.versions[0].VersionID, "log.json is deleted: only delete markers are left of it")
		return nil, Object{}, false
	}
	var refusal error
	for _, ver := range originals {
		b, o, err := v.get(ctx, GenesisKey, ver.VersionID, maxGenesisBytes)
		if err != nil && !errors.Is(err, ErrTooLarge) {
			v.find(CodeReadFailed, GenesisKey, ver.VersionID, "it could not be read: %v", err)
			return nil, o, false
		}
		l, err := v.believeGenesis(b, err)
		if err == nil {
			return l, o, true
		}
		if refusal == nil {
			refusal = err
		}
	}
	if errors.Is(refusal, ErrUnknownFormat) {
		v.find(CodeFormat, GenesisKey, originals[0].VersionID, "this release cannot judge the log: %v", refusal)
	} else {
		v.find(CodeGenesisAltered, GenesisKey, originals[0].VersionID, "nothing else is judged: %v", refusal)
	}
	return nil, Object{}, false
}

// believeGenesis judges by the pinned hash first, then by the format and the signature.
func (v *verifier) believeGenesis(b []byte, err error) (*Log, error) {
	if err != nil {
		return nil, err
	}
	if v.LogID != "" {
		o, err := lineobject.Split(b)
		if err != nil {
			return nil, err
		}
		if id := lineobject.HexDigest(o.Line); id != string(v.LogID) {
			return nil, fmt.Errorf("log.json hashes to %s, but the pinned log ID is %s", id, v.LogID)
		}
	}
	return ParseLog(b)
}

// judgeExt reports members that this release does not know: a notice, or a reason not to judge.
func (v *verifier) judgeExt(key, version string, ext map[string]string) (ok bool) {
	if len(ext) == 0 {
		return true
	}
	if names := criticalExt(ext); len(names) > 0 {
		v.find(CodeCritical, key, version, "it must not be judged without understanding %q", names)
		return false
	}
	v.find(CodeExt, key, version, "it has %d extension members that this release does not know", len(ext))
	return true
}

// judgeSettings compares the bucket's own settings with what evidence needs.
func (v *verifier) judgeSettings(ctx context.Context) {
	if v.placement == PlacementCopy {
		return
	}
	s, err := v.Store.Settings(ctx)
	if err != nil {
		v.find(CodeSettingsHidden, "", "", "the bucket's settings could not be read: %v", err)
		return
	}
	v.judgeLockSetting(s)
	v.judgeLifecycle(s)
}

func (v *verifier) judgeLockSetting(s Settings) {
	switch {
	case s.ObjectLock.Err != nil:
		v.find(CodeSettingsHidden, "", "", "whether Object Lock is on could not be read: %v", s.ObjectLock.Err)
	case !s.ObjectLock.Value:
		v.find(CodeBucketLock, "", "", "Object Lock is not enabled on the bucket")
	}
	switch {
	case s.Versioning.Err != nil:
		v.find(CodeSettingsHidden, "", "", "whether versioning is on could not be read: %v", s.Versioning.Err)
	case s.Versioning.Value != "Enabled":
		v.find(CodeBucketVersioning, "", "", "versioning is %q, not Enabled", s.Versioning.Value)
	}
}

func (v *verifier) judgeLifecycle(s Settings) {
	if s.LifecycleExpires.Err != nil {
		v.findAs(Information, CodeSettingsHidden, "", "", "lifecycle rules could not be read: %v", s.LifecycleExpires.Err)
	} else if rules := s.LifecycleExpires.Value; len(rules) > 0 {
		v.find(CodeBucketLifecycle, "", "", "lifecycle rules %q expire objects: they will hide the archive behind delete markers", rules)
	}
}
