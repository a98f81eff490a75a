package devserver

// Credentials that [Server.Env] names. The server accepts any.
const (
	AccessKeyID     = "wormlog-dev"
	SecretAccessKey = "wormlog-dev-verifies-no-signatures"
)

// Env returns the environment, as NAME=value, with which wormlog, the AWS CLI
// and the AWS SDKs work against a started server and the bucket.
func (s *Server) Env(bucket string) []string {
	url := s.URL()
	return []string{
		"AWS_ACCESS_KEY_ID=" + AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + SecretAccessKey,
		"AWS_REGION=" + s.region(),
		"AWS_DEFAULT_REGION=" + s.region(),
		"AWS_ENDPOINT_URL=" + url,
		"WORMLOG_ENDPOINT=" + url,
		"WORMLOG_REGION=" + s.region(),
		"WORMLOG_BUCKET=" + bucket,
		"WORMLOG_ORIGIN=example.com/dev-audit",
		"WORMLOG_SIGNING_SECRET=wormlog/dev/writer",
		"WORMLOG_AUTHORITY_SECRET=wormlog/dev/authority",
	}
}
