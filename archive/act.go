package archive

import (
	"errors"
	"fmt"
	"strings"

	"github.com/wormlog/wormlog/internal/lineobject"
	"github.com/wormlog/wormlog/keys"
)

// Types of acts: entries of control streams whose data is ours and strict. In any other stream these are refused.
const (
	ActKeyRetired          = "wormlog.key.retired"
	ActKeyCompromised      = "wormlog.key.compromised"
	ActCountersigned       = "wormlog.countersigned"
	ActAcknowledged        = "wormlog.finding.acknowledged"
	ActPolicyChanged       = "wormlog.policy.changed"
	ActHomeChanged         = "wormlog.home.changed"
	ActHoldPlaced          = "wormlog.hold.placed"
	ActHoldReleased        = "wormlog.hold.released"
	ActRetentionExtending  = "wormlog.retention.extending"
	ActRetentionExtended   = "wormlog.retention.extended"
	ActDisposed            = "wormlog.disposed"
	ActAttestation         = "wormlog.attestation"
	reservedTypePrefix     = "wormlog."
	maxActBytes            = MaxPayloadBytes
	maxReasonBytes         = 4096
	errNotAnAct            = "%w: the type %q is no act of the role %s"
	errActInAnotherStreams = "the type %q begins with wormlog., which only control streams use"
)

// KeyAct is the data of key.retired and key.compromised.
type KeyAct struct {
	KeyID  keys.ID `json:"key_id"`
	Since  Second  `json:"since"`
	Reason string  `json:"reason"`
}

// Countersigned is the data of countersigned: a fresh signature over heads that a compromised key had signed.
type Countersigned struct {
	KeyID  keys.ID             `json:"key_id"`
	Heads  []CountersignedHead `json:"heads"`
	Reason string              `json:"reason"`
}

// CountersignedHead names a manifest, and with it all before it.
type CountersignedHead struct {
	Stream   string `json:"stream"`
	Sequence uint64 `json:"sequence"`
	SHA256   Hash   `json:"sha256"`
}

// Acknowledged is the data of finding.acknowledged: it takes exactly one finding out of the exit status.
type Acknowledged struct {
	Code      string `json:"code"`
	Key       string `json:"key"`
	VersionID string `json:"version_id"` // empty where there is none
	Reason    string `json:"reason"`
}

// PolicyChanged is the data of policy.changed.
type PolicyChanged struct {
	Retention RetentionPolicy `json:"retention"`
	Reason    string          `json:"reason"`
}

// HomeChanged is the data of home.changed.
type HomeChanged struct {
	Home   Home   `json:"home"`
	Reason string `json:"reason"`
}

// HoldPlaced is the data of hold.placed: a named case holds what the streams wrote from From to before To.
type HoldPlaced struct {
	Case    string   `json:"case"`
	Streams []string `json:"streams"` // stream names, or <writer>.* patterns
	From    Instant  `json:"from"`
	To      Instant  `json:"to"`
	Reason  string   `json:"reason"`
}

// HoldReleased is the data of hold.released.
type HoldReleased struct {
	Case   string `json:"case"`
	Reason string `json:"reason"`
}

// RetentionExtending is the data of retention.extending: the intent, written before the deed.
type RetentionExtending struct {
	Streams     []string `json:"streams"`
	From        Instant  `json:"from"`
	To          Instant  `json:"to"`
	RetainUntil Second   `json:"retain_until"`
	Reason      string   `json:"reason"`
}

// RetentionExtended is the data of retention.extended: done. Until then the old promise holds.
type RetentionExtended struct {
	Streams     []string `json:"streams"`
	From        Instant  `json:"from"`
	To          Instant  `json:"to"`
	RetainUntil Second   `json:"retain_until"`
	Objects     uint64   `json:"objects"`
	Reason      string   `json:"reason"`
}

// Disposed is the data of disposed: a whole stream, all of it expired, about to be deleted.
type Disposed struct {
	Stream   string           `json:"stream"`
	Size     uint64           `json:"size"`
	Root     Hash             `json:"root"`
	Manifest Hash             `json:"manifest"`
	Objects  []DisposedObject `json:"objects"`
	Reason   string           `json:"reason"`
}

// DisposedObject is one object of a disposed stream.
type DisposedObject struct {
	Key         string `json:"key"`
	VersionID   string `json:"version_id"`
	SHA256      Hash   `json:"sha256"`
	RetainUntil Second `json:"retain_until"`
}

// actRoles says which role's control streams an act belongs to.
var actRoles = map[string]keys.Role{
	ActKeyRetired:         keys.RoleAuthority,
	ActKeyCompromised:     keys.RoleAuthority,
	ActCountersigned:      keys.RoleAuthority,
	ActAcknowledged:       keys.RoleAuthority,
	ActPolicyChanged:      keys.RoleAuthority,
	ActHomeChanged:        keys.RoleAuthority,
	ActHoldPlaced:         keys.RoleCustodian,
	ActHoldReleased:       keys.RoleCustodian,
	ActRetentionExtending: keys.RoleCustodian,
	ActRetentionExtended:  keys.RoleCustodian,
	ActDisposed:           keys.RoleCustodian,
	ActAttestation:        keys.RoleVerifier,
}

// IsAct says whether an entry type is reserved for acts.
func IsAct(entryType string) bool { return strings.HasPrefix(entryType, reservedTypePrefix) }

// Act is the data of an act: a pointer to one of the types of this file, or to an [Attestation].
type Act interface{ check() error }

// FormatAct returns the data of an act, or an error that says what ParseAct would refuse.
func FormatAct(act Act) ([]byte, error) {
	if err := act.check(); err != nil {
		return nil, err
	}
	return lineobject.Marshal(act)
}

// ParseAct parses the data of an act found in a control stream of that role. It accepts exactly what FormatAct returns.
// Errors wrap ErrMalformed.
func ParseAct(role keys.Role, entryType string, data []byte) (Act, error) {
	if actRoles[entryType] != role || role == "" {
		return nil, fmt.Errorf(errNotAnAct, ErrMalformed, entryType, role)
	}
	act, err := decodeAct(entryType, data)
	if err == nil {
		err = act.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, entryType, err)
	}
	return act, nil
}

func decodeAct(entryType string, data []byte) (Act, error) {
	switch entryType {
	case ActKeyRetired, ActKeyCompromised:
		return decodeInto[KeyAct](data)
	case ActCountersigned:
		return decodeInto[Countersigned](data)
	case ActAcknowledged:
		return decodeInto[Acknowledged](data)
	case ActPolicyChanged:
		return decodeInto[PolicyChanged](data)
	case ActHomeChanged:
		return decodeInto[HomeChanged](data)
	case ActHoldPlaced:
		return decodeInto[HoldPlaced](data)
	case ActHoldReleased:
		return decodeInto[HoldReleased](data)
	case ActRetentionExtending:
		return decodeInto[RetentionExtending](data)
	case ActRetentionExtended:
		return decodeInto[RetentionExtended](data)
	case ActDisposed:
		return decodeInto[Disposed](data)
	}
	return decodeInto[Attestation](data)
}

func decodeInto[T any, P interface {
	*T
	Act
}](data []byte) (Act, error) {
	v := P(new(T))
	return v, lineobject.Unmarshal(data, (*T)(v))
}

func checkReason(s string) error {
	if s == "" || len(s) > maxReasonBytes {
		return fmt.Errorf("the reason does not have 1 to %d bytes", maxReasonBytes)
	}
	return nil
}

func (a *KeyAct) check() error { return errors.Join(a.KeyID.Valid(), checkReason(a.Reason)) }

func (a *Countersigned) check() error {
	if len(a.Heads) == 0 {
		return errors.New("heads is empty")
	}
	for i, h := range a.Heads {
		if _, err := ParseStreamName(h.Stream); err != nil {
			return err
		}
		if i > 0 && h.Stream <= a.Heads[i-1].Stream {
			return errors.New("heads are not ascending by stream")
		}
		if err := checkIntegers(h.Sequence); err != nil {
			return err
		}
	}
	return errors.Join(a.KeyID.Valid(), checkReason(a.Reason))
}

func (a *Acknowledged) check() error {
	if err := Code(a.Code).check(); err != nil {
		return err
	}
	if a.Key == "" {
		return errors.New("key is empty")
	}
	return checkReason(a.Reason)
}

func (a *PolicyChanged) check() error {
	return errors.Join(a.Retention.check(), checkReason(a.Reason))
}

func (a *HomeChanged) check() error {
	return errors.Join(a.Home.check(), checkReason(a.Reason))
}

func (a *HoldPlaced) check() error {
	return errors.Join(checkName("case", a.Case), checkScope(a.Streams, a.From, a.To), checkReason(a.Reason))
}

func (a *HoldReleased) check() error {
	return errors.Join(checkName("case", a.Case), checkReason(a.Reason))
}

func (a *RetentionExtending) check() error {
	return errors.Join(checkScope(a.Streams, a.From, a.To), checkReason(a.Reason))
}

func (a *RetentionExtended) check() error {
	return errors.Join(checkScope(a.Streams, a.From, a.To), checkIntegers(a.Objects), checkReason(a.Reason))
}

func (a *Disposed) check() error {
	if _, err := ParseStreamName(a.Stream); err != nil {
		return err
	}
	if len(a.Objects) == 0 {
		return errors.New("objects is empty")
	}
	for i, o := range a.Objects {
		if o.Key == "" || o.VersionID == "" {
			return fmt.Errorf("object %d has no key or no version_id", i)
		}
	}
	return errors.Join(checkIntegers(a.Size), checkReason(a.Reason))
}

// checkPattern accepts a stream's name or <writer>.*.
func checkPattern(s string) error {
	if writer, ok := strings.CutSuffix(s, ".*"); ok {
		return checkWriter(writer)
	}
	_, err := ParseStreamName(s)
	return err
}

// checkScope checks which streams and times an act is about. A pattern is a stream's name or <writer>.*.
func checkScope(streams []string, from, to Instant) error {
	if len(streams) == 0 {
		return errors.New("streams is empty")
	}
	for _, s := range streams {
		if err := checkPattern(s); err != nil {
			return err
		}
	}
	if !from.Before(to.Time) {
		return errors.New("from is not before to")
	}
	return nil
}
