package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
	"github.com/wormlog/wormlog/internal/rotate"
	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// rotation is the handler of that name: a rotation function of Secrets Manager. It reads its settings and the log anew for
// each step, of which there are four in three months, so that nothing stale is ever signed for.
type rotation struct {
	environ []string
	logger  *slog.Logger
}

// margin is what is left of an invocation's time to report that it did not suffice.
const margin = time.Second

// Invoke carries out the step that the payload asks for. It implements [lambda.Handler].
func (r *rotation) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, deadline.Add(-margin), errors.New("the function's time is over; set a longer timeout"))
		defer cancel()
	}
	began := time.Now()
	var e secretsmanager.Event
	err := json.Unmarshal(payload, &e)
	if err != nil { // its text may quote the payload, which may hold a rotation token
		err = errors.New("the event is not one of Secrets Manager's rotation; have Secrets Manager call this function")
	} else {
		err = r.step(ctx, e)
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !strings.Contains(err.Error(), cause.Error()) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, messages.InvokeResponse_Error{Type: "RotationFailed", Message: strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	r.logger.InfoContext(ctx, "invocation finished", "event", e, "seconds", time.Since(began).Seconds())
	return []byte("null"), nil
}

func (r *rotation) step(ctx context.Context, e secretsmanager.Event) error {
	job, err := r.job(ctx)
	if err != nil {
		return err
	}
	return job.Step(ctx, e)
}

// job opens the log.
func (r *rotation) job(ctx context.Context) (*rotate.Job, error) {
	c, err := config.FromEnvironment(r.environ)
	if err != nil {
		return nil, err
	}
	if c.LogID == "" {
		return nil, errors.New("the log is not pinned; set WORMLOG_LOG_ID to the log ID that init printed")
	}
	bucket, store, err := c.OpenBucket(ctx, r.logger)
	if err != nil {
		return nil, err
	}
	l, err := archive.OpenLog(ctx, store, c.LogID)
	if errors.Is(err, archive.ErrNotFound) {
		return nil, fmt.Errorf("the log %s is not there: %w; check WORMLOG_BUCKET and WORMLOG_PREFIX", c.LogID, err)
	}
	if err != nil {
		return nil, err
	}
	api, err := c.SecretsManager(ctx, bucket.Home().Region)
	if err != nil {
		return nil, err
	}
	var algorithm keys.Algorithm
	if c.Given("signature_algorithm").From != config.FromDefault {
		algorithm = c.SignatureAlgorithm
	}
	days, err := c.Retention.From(time.Now())
	if err != nil {
		return nil, err
	}
	return &rotate.Job{
		RotationDays: c.KeyRotationDays, RetentionDays: days,
		Log: l, Store: store, API: api, Algorithm: algorithm,
		AuthoritySecret: c.AuthoritySecretOf(l.Origin), ActsSecret: c.ActsSecretOf(l.Origin), VerificationSecrets: c.VerificationSecretsOf(l.Origin),
		Software: software(), Logger: r.logger.With("log_id", l.ID),
	}, nil
}
