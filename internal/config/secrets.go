package config

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// secretsHost matches Secrets Manager's own endpoints (AWS General Reference, "AWS Secrets Manager endpoints and quotas").
var secretsHost = regexp.MustCompile(`^(?:vpce-[0-9a-z-]+\.)?secretsmanager(?:-fips)?\.[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}(?:\.vpce)?` +
	`\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws|api\.amazonwebservices\.(?:com\.cn|eu)|c2s\.ic\.gov|sc2s\.sgov\.gov)$`)

// SecretsManager returns a client of Secrets Manager, in the region of the setting, else the bucket's if that is known, else
// that of the AWS configuration. As with S3, an endpoint that only the environment names is refused: it would be sent keys.
func (c *Config) SecretsManager(ctx context.Context, bucketRegion string) (*sm.Client, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithHTTPClient(c.httpClient()))
	if err != nil {
		return nil, fmt.Errorf("cannot load the AWS configuration: %w", err)
	}
	cfg.Region = cmp.Or(c.Region, bucketRegion, cfg.Region)
	named := c.SecretsEndpoint
	if named == "" && Loopback(c.Endpoint) {
		named = c.Endpoint
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

func (c *Config) httpClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		if t.TLSClientConfig == nil {
			t.TLSClientConfig = &tls.Config{}
		}
		t.TLSClientConfig.MinVersion = c.TLSMinVersion
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
		return fmt.Errorf("the endpoint %s://%s is not AWS Secrets Manager, and only the environment or an AWS configuration file names it; "+
			"unset AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_SECRETS_MANAGER, or name it on purpose as secrets_endpoint", at.URI.Scheme, at.URI.Host)
	}
	return nil
}

// Names of secrets, derived from the log's origin where they are not set.

// SigningSecretOf returns the name of the secret with the writer's signing key.
func (c *Config) SigningSecretOf(origin string) string {
	return cmp.Or(c.SigningSecret, secretName(origin, c.Writer))
}

// AuthoritySecretOf returns the name of the secret with the key of the online authority.
func (c *Config) AuthoritySecretOf(origin string) string {
	return cmp.Or(c.AuthoritySecret, secretName(origin, "authority"))
}

// ActsSecretOf returns the name of the secret with the key of role authority, which signs acts.
func (c *Config) ActsSecretOf(origin string) string {
	return cmp.Or(c.ActsSecret, secretName(origin, "acts"))
}

// VerificationSecretsOf returns the prefix of the names of the secrets with the verification copies.
func (c *Config) VerificationSecretsOf(origin string) string {
	return cmp.Or(c.VerificationSecrets, secretName(origin, "verification"))
}

// secretName is wormlog/<origin>/<last>, with '-' for what Secrets Manager does not take in a name.
func secretName(origin, last string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/_=.@-", r) {
			return r
		}
		return '-'
	}, origin)
	return "wormlog/" + strings.Trim(clean, "/") + "/" + last
}
