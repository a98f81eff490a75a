package secretsmanager

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// The steps of a rotation, in their order, as Secrets Manager names them to a rotation function.
const (
	StepCreate = "createSecret"
	StepSet    = "setSecret"
	StepTest   = "testSecret"
	StepFinish = "finishSecret"
)

// Event is what Secrets Manager sends to a rotation function (User Guide, "Lambda rotation functions"), under the names of
// its JSON. Printing it leaves the rotation token out.
type Event struct {
	Step               string // one of the steps, also as create_secret, set_secret, test_secret and finish_secret
	SecretID           string `json:"SecretId"` // ARN, or name
	ClientRequestToken string // the version ID of the new key, 32 to 64 characters
	RotationToken      string `json:",omitempty"` // who asks, where a role of another account rotates; passed on
}

// check reports whether the event means something, and gives the step in its usual spelling.
func (e Event) check() (step string, err error) {
	switch e.Step {
	case StepCreate, "create_secret":
		step = StepCreate
	case StepSet, "set_secret":
		step = StepSet
	case StepTest, "test_secret":
		step = StepTest
	case StepFinish, "finish_secret":
		step = StepFinish
	default:
		return "", fmt.Errorf("rotation has no step %.40q; invoke it by Secrets Manager's rotation, which sends %s, %s, %s and %s", e.Step, StepCreate, StepSet, StepTest, StepFinish)
	}
	if e.SecretID == "" {
		return "", errors.New("the rotation event names no secret; send its name or ARN as SecretId")
	}
	if n := len(e.ClientRequestToken); n < 32 || n > 64 {
		return "", fmt.Errorf("the rotation event for secret %s has a ClientRequestToken of %d characters, and a version ID has 32 to 64; send the one of the rotation", e.SecretID, n)
	}
	return step, nil
}

// String leaves the rotation token out.
func (e Event) String() string {
	return fmt.Sprintf("%s of secret %s, version %s", e.Step, e.SecretID, e.ClientRequestToken)
}

// Format writes String for every verb of fmt.
func (e Event) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.String()) }

// LogValue is String, for slog.
func (e Event) LogValue() slog.Value { return slog.StringValue(e.String()) }
