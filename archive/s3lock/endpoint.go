package s3lock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// s3Host matches the host names of S3's own endpoints: regional, dual-stack, FIPS, legacy and VPC interface endpoints, in
// every partition (AWS General Reference, "Amazon S3 endpoints and quotas"). Other names under AWS's domains do not count:
// anyone can get a load balancer or an instance there.
var s3Host = regexp.MustCompile(`^(?:` +
	`s3(?:-fips)?(?:\.dualstack)?(?:\.` + region + `)?` +
	`|s3-(?:` + region + `|external-1)` +
	`|(?:bucket|accesspoint)\.vpce-[0-9a-z-]+\.s3\.` + region + `\.vpce` +
	`)\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws|api\.amazonwebservices\.(?:com\.cn|eu)` +
	`|c2s\.ic\.gov|sc2s\.sgov\.gov|csp\.hci\.ic\.gov|cloud\.adc-e\.uk|api\.aws\.ic\.gov|api\.aws\.scloud` +
	`|api\.cloud-aws\.adc-e\.uk|api\.aws\.hci\.ic\.gov)$`)

const region = `[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}`

// resolveEndpoint asks the SDK where requests for the bucket will go, and refuses what is neither S3 nor named in c.
func resolveEndpoint(ctx context.Context, o s3.Options, c Config) (string, error) {
	resolved, err := o.EndpointResolverV2.ResolveEndpoint(ctx, s3.EndpointParameters{
		Bucket:         aws.String(c.Bucket),
		Region:         aws.String(o.Region),
		Endpoint:       o.BaseEndpoint,
		ForcePathStyle: aws.Bool(o.UsePathStyle),
		UseFIPS:        aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack:   aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
	})
	if err != nil {
		return "", fmt.Errorf("no endpoint for bucket %q in region %q; check both: %w", c.Bucket, o.Region, err)
	}
	at := resolved.URI
	endpoint := at.Scheme + "://" + at.Host
	named := c.Endpoint != ""
	switch host := strings.TrimPrefix(at.Hostname(), c.Bucket+"."); {
	case !named && !s3Host.MatchString(host):
		return "", fmt.Errorf("the endpoint %s is not Amazon S3, and comes from %s; unset that, or name the endpoint on purpose", endpoint, origin())
	case at.Scheme == "https", named && isLoopback(host):
		return endpoint, nil
	default:
		return "", fmt.Errorf("the endpoint %s is without TLS; use https (plain http is for loopback endpoints that are named on purpose)", endpoint)
	}
}

// OnAWS says whether the requests go to Amazon S3's own hosts. If not, somebody named the endpoint on purpose.
func (s *Store) OnAWS() bool {
	return s3Host.MatchString(strings.TrimPrefix(hostOf(s.endpoint), s.home.Bucket+"."))
}

// origin says where an endpoint that is not in a Config comes from, in the SDK's order.
func origin() string {
	for _, name := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"} {
		if os.Getenv(name) != "" {
			return "the environment variable " + name
		}
	}
	profile := cmp.Or(os.Getenv("AWS_PROFILE"), "default")
	return fmt.Sprintf("the AWS configuration file (profile %s)", profile)
}

// checkNamed checks an endpoint that is named on purpose; the empty one is none.
func checkNamed(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "":
		return errors.New("the endpoint is not a URL; write https://host, or http://127.0.0.1:port")
	case u.User != nil:
		return errors.New("the endpoint holds credentials; leave them to the AWS configuration")
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("endpoint %q has a query or fragment; leave it out", endpoint)
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("the endpoint %s is without TLS; use https (plain http is for loopback endpoints)", endpoint)
	}
	return fmt.Errorf("endpoint %q is neither https nor http; write https://host", endpoint)
}

func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
