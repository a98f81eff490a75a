package devserver

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Staging labels that Secrets Manager moves by itself.
const (
	labelCurrent  = "AWSCURRENT"
	labelPrevious = "AWSPREVIOUS"
	labelPending  = "AWSPENDING"
)

// Limits of the Secrets Manager API reference.
const (
	maxSecretValue  = 65536
	maxLabels       = 20
	maxUnlabelled   = 100
	minUnlabelledBy = 24 * time.Hour
)

// secret is a secret with all its versions.
type secret struct {
	Name        string           `json:"name"`
	ARN         string           `json:"arn"`
	Description string           `json:"description,omitempty"`
	KMSKey      string           `json:"kms_key,omitempty"`
	Created     time.Time        `json:"created"`
	Changed     time.Time        `json:"changed"`
	Deletes     time.Time        `json:"deletes,omitzero"` // when a scheduled deletion takes effect
	Policy      string           `json:"policy,omitempty"`
	Tags        []tag            `json:"tags,omitempty"`
	Rotation    *rotation        `json:"rotation,omitempty"`
	Versions    []*secretVersion `json:"versions"` // oldest first
}

type tag struct{ Key, Value string }

// rotation is what RotateSecret has set.
type rotation struct {
	Lambda string         `json:"lambda,omitempty"`
	Rules  *rotationRules `json:"rules,omitempty"`
	Last   time.Time      `json:"last,omitzero"`
}

type rotationRules struct {
	AutomaticallyAfterDays int64  `json:",omitempty"`
	Duration               string `json:",omitempty"`
	ScheduleExpression     string `json:",omitempty"`
}

// secretVersion is one version; until a rotation puts one, it may have no value.
type secretVersion struct {
	ID      string    `json:"id"`
	Text    *string   `json:"text,omitempty"`
	Binary  []byte    `json:"binary,omitempty"`
	Created time.Time `json:"created"`
	Labels  []string  `json:"labels,omitempty"`
}

func (v *secretVersion) empty() bool { return v.Text == nil && v.Binary == nil }

// sameValue reports whether the version has this value.
func (v *secretVersion) sameValue(text *string, binary []byte) bool {
	if (v.Text == nil) != (text == nil) || (text != nil && *v.Text != *text) {
		return false
	}
	return bytes.Equal(v.Binary, binary)
}

// clone copies the secret so that it can be changed and committed.
func (x *secret) clone() *secret {
	c := *x
	c.Versions = nil
	for _, v := range x.Versions {
		copied := *v
		copied.Labels = slices.Clone(v.Labels)
		c.Versions = append(c.Versions, &copied)
	}
	return &c
}

// version is the version with that ID, or nil.
func (x *secret) version(id string) *secretVersion {
	for _, v := range x.Versions {
		if v.ID == id {
			return v
		}
	}
	return nil
}

// labelled is the version that has the label, or nil.
func (x *secret) labelled(label string) *secretVersion {
	for _, v := range x.Versions {
		if slices.Contains(v.Labels, label) {
			return v
		}
	}
	return nil
}

// move puts the label on a version, or on none. When AWSCURRENT moves, AWSPREVIOUS
// goes to the version it leaves.
func (x *secret) move(label string, to *secretVersion) {
	from := x.labelled(label)
	if from == to {
		return
	}
	if from != nil {
		from.Labels = slices.DeleteFunc(from.Labels, func(l string) bool { return l == label })
	}
	if to != nil {
		to.Labels = append(to.Labels, label)
	}
	if label == labelCurrent && from != nil {
		x.move(labelPrevious, from)
	}
}

// labels counts the staging labels on all versions.
func (x *secret) labels() int {
	n := 0
	for _, v := range x.Versions {
		n += len(v.Labels)
	}
	return n
}

// trim removes the oldest versions without a label beyond the 100 that are kept,
// but none younger than 24 hours.
func (x *secret) trim(now time.Time) {
	excess := len(x.Versions) - maxUnlabelled
	x.Versions = slices.DeleteFunc(x.Versions, func(v *secretVersion) bool {
		old := excess > 0 && len(v.Labels) == 0 && now.Sub(v.Created) > minUnlabelledBy
		if old {
			excess--
		}
		return old
	})
}

// put adds a version with the value and moves the labels to it; without labels
// it becomes AWSCURRENT. The same ID with the same value changes nothing; with
// another value it is an error, unless a rotation made the version empty.
func (x *secret) put(id string, text *string, binary []byte, labels []string, now time.Time) error {
	v := x.version(id)
	if v != nil && !v.empty() {
		if v.sameValue(text, binary) {
			return nil
		}
		return invalid("ResourceExistsException", fmt.Sprintf(
			"You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", id, x.ARN))
	}
	if v == nil {
		v = &secretVersion{ID: id}
		x.Versions = append(x.Versions, v)
	}
	v.Text, v.Binary, v.Created = text, binary, now
	if len(labels) == 0 || x.labelled(labelCurrent) == nil {
		labels = append([]string{labelCurrent}, labels...)
	}
	for _, label := range labels {
		x.move(label, v)
	}
	if x.labels() > maxLabels {
		return errTooManyLabels()
	}
	x.Changed = now
	x.trim(now)
	return nil
}

// restage is UpdateSecretVersionStage: it moves a label from one version to
// another, both of which must be named as they are.
func (x *secret) restage(label, to, from string) error {
	holder := x.labelled(label)
	switch {
	case holder != nil && holder.ID != from && holder.ID != to:
		return invalid("InvalidParameterException", fmt.Sprintf(
			"The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", label, holder.ID))
	case from != "" && (holder == nil || holder.ID != from):
		return invalid("InvalidParameterException", fmt.Sprintf(
			"The staging label %s is not attached to version %s, which RemoveFromVersionId names.", label, from))
	case to == "" && label == labelCurrent:
		return invalid("InvalidParameterException",
			"You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.")
	}
	var target *secretVersion
	if to != "" {
		if target = x.version(to); target == nil {
			return errNoSecretVersion("VersionId: " + to)
		}
	}
	x.move(label, target)
	if x.labels() > maxLabels {
		return errTooManyLabels()
	}
	return nil
}

// pick is the version that GetSecretValue asks for.
func (x *secret) pick(id, label string) (*secretVersion, error) {
	var v *secretVersion
	wanted := "staging label: " + label
	switch {
	case id == "" && label == "":
		wanted = "staging label: " + labelCurrent
		v = x.labelled(labelCurrent)
	case id == "":
		v = x.labelled(label)
	default:
		wanted = "VersionId: " + id
		v = x.version(id)
		if v != nil && label != "" && !slices.Contains(v.Labels, label) {
			return nil, invalid("InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId.")
		}
	}
	if v == nil || v.empty() {
		return nil, errNoSecretVersion(wanted)
	}
	return v, nil
}

func errNoSecretVersion(wanted string) *apiError {
	return invalid("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for "+wanted)
}

func errTooManyLabels() *apiError {
	return invalid("LimitExceededException", fmt.Sprintf("You have exceeded the maximum number of staging labels: %d.", maxLabels))
}

// namedBy reports whether the id is the secret's name, its ARN, or its ARN
// without the six random characters.
func (x *secret) namedBy(id string) bool {
	return id == x.Name || id == x.ARN || (strings.HasPrefix(id, "arn:") && id+x.ARN[max(0, len(x.ARN)-7):] == x.ARN)
}
