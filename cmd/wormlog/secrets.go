package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wormlog/wormlog/keys"
	"github.com/wormlog/wormlog/keys/secretsmanager"
)

// secretsHost matches Secrets Manager's own endpoints (AWS General Reference, "AWS Secrets Manager endpoints and quotas").
var secretsHost = regexp.MustCompile(`^(?:vpce-[0-9a-z-]+\.)?secretsmanager(?:-fips)?\.[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}(?:\.vpce)?` +
	`\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws|api\.amazonwebservices\.(?:com\.cn|eu)|c2s\.ic\.gov|sc2s\.sgov\.gov)$`)

// secrets returns a client of Secrets Manager. As with S3, an endpoint that only the environment names is refused: it would
// be sent keys.
func (s *session) secrets(ctx context.Context) (*sm.Client, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithHTTPClient(s.httpClient()))
	if err != nil {
		return nil, fmt.Errorf("cannot load the AWS configuration: %w", err)
	}
	cfg.Region = cmp.Or(s.Region, s.bucket.Home().Region, cfg.Region)
	named := s.SecretsEndpoint
	if named == "" && loopback(s.Endpoint) {
		named = s.Endpoint
	}
	client := sm.NewFromConfig(cfg, func(o *sm.Options) {
		if named != "" {
			o.BaseEndpoint = aws.String(named)
		}
	})
	if named != "" {
		return client, nil
	}
	return client, checkSecretsEndpoint(ctx, client.Options())
}

func (s *session) httpClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		if t.TLSClientConfig == nil {
			t.TLSClientConfig = &tls.Config{}
		}
		t.TLSClientConfig.MinVersion = s.TLSMinVersion
	})
}

func checkSecretsEndpoint(ctx context.Context, o sm.Options) error {
	at, err := o.EndpointResolverV2.ResolveEndpoint(ctx, sm.EndpointParameters{
		Region: aws.String(o.Region), Endpoint: o.BaseEndpoint,
		UseFIPS:      aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
	})
	if err != nil {
		return fmt.Errorf("no endpoint of Secrets Manager for region %q; set the region: %w", o.Region, err)
	}
	if at.URI.Scheme != "https" || !secretsHost.MatchString(at.URI.Hostname()) {
		return withHint(fmt.Errorf("the endpoint %s://%s is not AWS Secrets Manager, and only the environment or an AWS configuration file names it", at.URI.Scheme, at.URI.Host),
			"unset AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_SECRETS_MANAGER, or name it on purpose as secrets_endpoint")
	}
	return nil
}

// provider returns where the signing key comes from.
func (s *session) provider(ctx context.Context, origin string) (keys.Provider, error) {
	if s.SigningKeyEnv != "" {
		return keys.EnvProvider{Name: s.SigningKeyEnv}, nil
	}
	client, err := s.secrets(ctx)
	if err != nil {
		return nil, err
	}
	return secretsmanager.NewProvider(secretsmanager.Config{
		API: client, SecretID: s.signingSecret(origin),
		OnStale: func(err error) { s.logger.Warn("the signing key could not be read again", "error", err) },
	})
}

// copies returns where the verification copies of HMAC keys are; nil if that cannot be asked, which the report then says.
func (s *session) copies(ctx context.Context, origin string) keys.VerificationCopies {
	client, err := s.secrets(ctx)
	if err != nil {
		s.logger.Warn("HMACs cannot be checked", "error", err)
		return unreachable{err}
	}
	return secretsmanager.Copies{API: client, Prefix: s.verificationSecrets(origin)}
}

// unreachable are copies that cannot be asked for.
type unreachable struct{ err error }

func (u unreachable) EntryKey(context.Context, keys.ID) (*keys.VerificationCopy, error) {
	return nil, errors.Join(keys.ErrDenied, u.err)
}
