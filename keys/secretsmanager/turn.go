package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/keys"
)

// Staging labels that Secrets Manager moves by itself.
const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
	stagePending  = "AWSPENDING"
)

// stages says which version of a secret has which label, "" being none.
type stages struct {
	name                       string
	absent                     bool // there is no such secret, and it may be created
	current, previous, pending string
}

// stages reads the labels. DescribeSecret shows them of empty versions too, which GetSecretValue does not.
func (r *Rotation) stages(ctx context.Context, secret string) (stages, error) {
	out, err := r.API.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: aws.String(secret)})
	if err != nil {
		err = callError("DescribeSecret", secret, "", err)
		if r.Key != nil && errors.Is(err, keys.ErrNotFound) && !strings.HasPrefix(secret, "arn:") {
			return stages{name: secret, absent: true}, nil
		}
		return stages{}, err
	}
	s := stages{name: aws.ToString(out.Name)}
	if s.name == "" {
		return s, fmt.Errorf("DescribeSecret of secret %s gave no name; check the endpoint", secret)
	}
	if out.DeletedDate != nil {
		return s, fmt.Errorf("secret %s is scheduled for deletion; bring it back with aws secretsmanager restore-secret --secret-id %s, and rotate again", s.name, s.name)
	}
	for version, labels := range out.VersionIdsToStages {
		for label, at := range map[string]*string{stageCurrent: &s.current, stagePrevious: &s.previous, stagePending: &s.pending} {
			if slices.Contains(labels, label) {
				*at = version
			}
		}
	}
	return s, nil
}

// wayBack says how to put back the version before, where there is one.
func (s stages) wayBack() string {
	if s.previous == "" || s.current == "" {
		return ""
	}
	return fmt.Sprintf(", or go back to the version before with aws secretsmanager update-secret-version-stage --secret-id %s --version-stage AWSCURRENT --move-to-version-id %s --remove-from-version-id %s",
		s.name, s.previous, s.current)
}

// turn is one rotation as a step finds it.
type turn struct {
	Event
	stages
	bundle *keys.Bundle // what the rotation's version holds; nil: nothing yet
}

// inForce reports whether the rotation's version has become the current one.
func (t turn) inForce() bool { return t.current == t.ClientRequestToken }

// giveUp says how to abandon a rotation whose version cannot be used.
func (t turn) giveUp() string {
	if t.pending != t.ClientRequestToken {
		return "rotate again"
	}
	return fmt.Sprintf("take its label off with aws secretsmanager update-secret-version-stage --secret-id %s --version-stage AWSPENDING --remove-from-version-id %s, and rotate again", t.name, t.ClientRequestToken)
}

// look reads what there is of a rotation. A version that has a value must have a label of rotation as well: without one,
// somebody has given it up.
func (r *Rotation) look(ctx context.Context, e Event) (turn, error) {
	t := turn{Event: e}
	var err error
	if t.stages, err = r.stages(ctx, e.SecretID); err != nil {
		return t, err
	}
	value, labels, err := fetch(ctx, r.API, e.SecretID, e.ClientRequestToken)
	if errors.Is(err, keys.ErrNotFound) {
		return t, nil
	}
	if errors.Is(err, errNoValue) {
		return t, fmt.Errorf("secret %s, version %s, holds %w, which no rotation put there; %s", t.name, e.ClientRequestToken, errNoValue, t.giveUp())
	}
	if err != nil {
		return t, err
	}
	if !t.labelled() { // it may have been put between the two calls
		if t.stages, err = r.stages(ctx, e.SecretID); err != nil {
			return t, err
		}
		t.believe(labels)
	}
	if !t.labelled() {
		return t, fmt.Errorf("version %s of secret %s is neither AWSPENDING nor AWSCURRENT any more: somebody gave this rotation up, or another came after it; rotate again if a new key is wanted", e.ClientRequestToken, t.name)
	}
	if t.bundle, err = keys.ParseBundle(value); err != nil {
		return t, fmt.Errorf("secret %s, version %s, was not put there by a rotation: %w; %s", t.name, e.ClientRequestToken, err, t.giveUp())
	}
	if t.bundle.LogID() != r.Log {
		return t, fmt.Errorf("secret %s, version %s, holds a signing key of log %s, and this is log %s; %s", t.name, e.ClientRequestToken, t.bundle.LogID(), r.Log, t.giveUp())
	}
	return t, nil
}

// believe takes over the labels that came with the value: what DescribeSecret tells can be older.
func (t *turn) believe(labels []string) {
	if t.labelled() {
		return
	}
	if slices.Contains(labels, stagePending) {
		t.pending = t.ClientRequestToken
	}
	if slices.Contains(labels, stageCurrent) {
		t.current, t.previous = t.ClientRequestToken, t.current
	}
}

func (t turn) labelled() bool { return t.inForce() || t.pending == t.ClientRequestToken }

// find is look for the steps that need the key.
func (r *Rotation) find(ctx context.Context, e Event) (turn, error) {
	t, err := r.look(ctx, e)
	if err == nil && t.bundle == nil {
		err = fmt.Errorf("version %s of secret %s holds no key: the step %s has not been carried out, or the version is gone; rotate again, which makes a new one", e.ClientRequestToken, t.name, StepCreate)
	}
	return t, err
}
