package devserver

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// secretCalls are the operations of Secrets Manager that are known here.
var secretCalls = map[string]func(*Server, *secretCall) (any, error){
	"CreateSecret":             (*Server).createSecret,
	"GetSecretValue":           (*Server).getSecretValue,
	"PutSecretValue":           (*Server).putSecretValue,
	"DescribeSecret":           (*Server).describeSecret,
	"UpdateSecretVersionStage": (*Server).updateSecretStage,
	"ListSecrets":              (*Server).listSecrets,
	"ListSecretVersionIds":     (*Server).listSecretVersions,
	"DeleteSecret":             (*Server).deleteSecret,
	"PutResourcePolicy":        (*Server).putSecretPolicy,
	"GetResourcePolicy":        (*Server).getSecretPolicy,
	"DeleteResourcePolicy":     (*Server).deleteSecretPolicy,
	"RotateSecret":             (*Server).rotateSecret,
}

// findSecret is the secret that a name or ARN means, or nil if there is none any
// more. The caller holds s.mu.
func (s *Server) findSecret(id string) *secret {
	for _, x := range s.secrets {
		gone := !x.Deletes.IsZero() && !s.now().Before(x.Deletes)
		if x.namedBy(id) && !gone {
			return x
		}
	}
	return nil
}

// live is findSecret for a call that needs a secret not marked for deletion.
func (s *Server) live(c *secretCall) (*secret, error) {
	x, err := s.existing(c)
	if err == nil && !x.Deletes.IsZero() {
		return nil, invalid("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
	}
	return x, err
}

// existing is findSecret as the service's error.
func (s *Server) existing(c *secretCall) (*secret, error) {
	if x := s.findSecret(c.in.SecretID); x != nil {
		return x.clone(), nil
	}
	return nil, invalid("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

// token is the request's token, which becomes the version ID, or a new one.
func (c *secretCall) token() (string, error) {
	switch n := len(c.in.ClientRequestToken); {
	case n == 0:
		return newUUID(), nil
	case n < 32 || n > 64:
		return "", invalid("InvalidParameterException", "ClientRequestToken must be 32-64 characters long.")
	}
	return c.in.ClientRequestToken, nil
}

// newUUID is a random UUID, RFC 9562 version 4.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// checkValue refuses values that are not exactly one of text and bytes, or too
// long; none at all is for CreateSecret only.
func (c *secretCall) checkValue(optional bool) error {
	text, binary := c.in.SecretString, c.in.SecretBinary
	switch {
	case text != nil && binary != nil:
		return invalid("InvalidParameterException", "You can't specify both a binary secret value and a string secret value in the same secret.")
	case text == nil && binary == nil && !optional:
		return invalid("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
	case len(binary) > maxSecretValue || (text != nil && len(*text) > maxSecretValue):
		return invalid("ValidationException", "The secret value must have length less than or equal to "+strconv.Itoa(maxSecretValue)+".")
	}
	return nil
}

var secretName = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,512}$`)

type secretReply struct {
	ARN           string
	Name          string
	VersionID     string   `json:"VersionId,omitempty"`
	VersionStages []string `json:",omitempty"`
}

func (s *Server) createSecret(c *secretCall) (any, error) {
	if !secretName.MatchString(c.in.Name) {
		return nil, invalid("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	if err := c.checkValue(true); err != nil {
		return nil, err
	}
	id, err := c.token()
	if err != nil {
		return nil, err
	}
	hasValue := c.in.SecretString != nil || c.in.SecretBinary != nil
	if old := s.findSecret(c.in.Name); old != nil {
		return s.createAgain(c, old, id, hasValue)
	}
	now := s.now()
	x := &secret{Name: c.in.Name, Description: c.in.Description, KMSKey: c.in.KMSKeyID, Tags: c.in.Tags, Created: now, Changed: now,
		ARN: fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:%s-%s", s.region(), AccountID, c.in.Name, newVersionID()[:6])}
	reply := secretReply{ARN: x.ARN, Name: x.Name}
	if hasValue {
		if err := x.put(id, c.in.SecretString, c.in.SecretBinary, nil, now); err != nil {
			return nil, err
		}
		reply.VersionID = id
	}
	return reply, s.commit(record{Secret: x})
}

// createAgain answers a CreateSecret of a name that exists: a repeated request is
// the same success, anything else an error.
func (s *Server) createAgain(c *secretCall, old *secret, id string, hasValue bool) (any, error) {
	if !old.Deletes.IsZero() {
		return nil, invalid("InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	v := old.version(id)
	if hasValue && v != nil && v.sameValue(c.in.SecretString, c.in.SecretBinary) {
		return secretReply{ARN: old.ARN, Name: old.Name, VersionID: id}, nil
	}
	return nil, invalid("ResourceExistsException", "The operation failed because the secret "+old.Name+" already exists.")
}

func (s *Server) getSecretValue(c *secretCall) (any, error) {
	x, err := s.live(c)
	if err != nil {
		return nil, err
	}
	v, err := x.pick(c.in.VersionID, c.in.VersionStage)
	if err != nil {
		return nil, err
	}
	return struct {
		secretReply
		SecretString *string  `json:",omitempty"`
		SecretBinary []byte   `json:",omitempty"`
		CreatedDate  *float64 `json:",omitempty"`
	}{secretReply{x.ARN, x.Name, v.ID, v.Labels}, v.Text, v.Binary, seconds(v.Created)}, nil
}

func (s *Server) putSecretValue(c *secretCall) (any, error) {
	x, err := s.live(c)
	if err != nil {
		return nil, err
	}
	if err := c.checkValue(false); err != nil {
		return nil, err
	}
	id, err := c.token()
	if err != nil {
		return nil, err
	}
	for _, label := range c.in.VersionStages {
		if err := checkLabel(label); err != nil {
			return nil, err
		}
	}
	if err := x.put(id, c.in.SecretString, c.in.SecretBinary, c.in.VersionStages, s.now()); err != nil {
		return nil, err
	}
	return secretReply{x.ARN, x.Name, id, x.version(id).Labels}, s.commit(record{Secret: x})
}

func checkLabel(label string) error {
	if label == "" || len(label) > 256 {
		return invalid("ValidationException", "A staging label must have 1 to 256 characters.")
	}
	return nil
}

func (s *Server) updateSecretStage(c *secretCall) (any, error) {
	x, err := s.live(c)
	if err != nil {
		return nil, err
	}
	if err := checkLabel(c.in.VersionStage); err != nil {
		return nil, err
	}
	if err := x.restage(c.in.VersionStage, c.in.MoveToVersionID, c.in.RemoveFromVersionID); err != nil {
		return nil, err
	}
	x.Changed = s.now()
	return secretReply{ARN: x.ARN, Name: x.Name}, s.commit(record{Secret: x})
}

// secretDescription is the reply of DescribeSecret and an entry of ListSecrets,
// which call the map of labels differently.
type secretDescription struct {
	ARN              string
	Name             string
	Description      string              `json:",omitempty"`
	KMSKeyID         string              `json:"KmsKeyId,omitempty"`
	RotationEnabled  bool                `json:",omitempty"`
	RotationLambda   string              `json:"RotationLambdaARN,omitempty"`
	RotationRules    *rotationRules      `json:",omitempty"`
	LastRotated      *float64            `json:"LastRotatedDate,omitempty"`
	Created          *float64            `json:"CreatedDate,omitempty"`
	LastChanged      *float64            `json:"LastChangedDate,omitempty"`
	Deleted          *float64            `json:"DeletedDate,omitempty"`
	Tags             []tag               `json:",omitempty"`
	VersionsToStages map[string][]string `json:"VersionIdsToStages,omitempty"`
	SecretVersions   map[string][]string `json:"SecretVersionsToStages,omitempty"`
}

// describe shows the versions that have labels, as AWS does.
func (x *secret) describe() secretDescription {
	d := secretDescription{ARN: x.ARN, Name: x.Name, Description: x.Description, KMSKeyID: x.KMSKey, Tags: x.Tags,
		Created: seconds(x.Created), LastChanged: seconds(x.Changed), Deleted: seconds(x.Deletes),
		VersionsToStages: map[string][]string{}}
	if r := x.Rotation; r != nil {
		d.RotationEnabled, d.RotationLambda, d.RotationRules, d.LastRotated = true, r.Lambda, r.Rules, seconds(r.Last)
	}
	for _, v := range x.Versions {
		if len(v.Labels) > 0 {
			d.VersionsToStages[v.ID] = v.Labels
		}
	}
	return d
}

func (s *Server) describeSecret(c *secretCall) (any, error) {
	x, err := s.existing(c)
	if err != nil {
		return nil, err
	}
	return x.describe(), nil
}

func (s *Server) listSecrets(c *secretCall) (any, error) {
	var all []secretDescription
	for _, name := range slices.Sorted(maps.Keys(s.secrets)) {
		x := s.findSecret(name)
		if x == nil || (!x.Deletes.IsZero() && !c.in.IncludePlannedDeletion) {
			continue
		}
		d := x.describe()
		d.VersionsToStages, d.SecretVersions = nil, d.VersionsToStages
		all = append(all, d)
	}
	if c.in.SortOrder == "desc" {
		slices.Reverse(all)
	}
	from, to, next, err := window(len(all), c.in.MaxResults, c.in.NextToken)
	return struct {
		SecretList []secretDescription
		NextToken  string `json:",omitempty"`
	}{append([]secretDescription{}, all[from:to]...), next}, err
}

func (s *Server) listSecretVersions(c *secretCall) (any, error) {
	x, err := s.existing(c)
	if err != nil {
		return nil, err
	}
	type entry struct {
		VersionID     string   `json:"VersionId"`
		VersionStages []string `json:",omitempty"`
		CreatedDate   *float64
	}
	all := []entry{}
	for _, v := range x.Versions {
		if len(v.Labels) > 0 || c.in.IncludeDeprecated {
			all = append(all, entry{v.ID, v.Labels, seconds(v.Created)})
		}
	}
	from, to, next, err := window(len(all), c.in.MaxResults, c.in.NextToken)
	return struct {
		ARN, Name string
		Versions  []entry
		NextToken string `json:",omitempty"`
	}{x.ARN, x.Name, all[from:to], next}, err
}

func (s *Server) deleteSecret(c *secretCall) (any, error) {
	type reply struct {
		ARN, Name    string
		DeletionDate *float64
	}
	x, err := s.live(c)
	days := 30
	if c.in.RecoveryWindowInDays != nil {
		days = *c.in.RecoveryWindowInDays
	}
	switch {
	case c.in.ForceDeleteWithoutRecovery && c.in.RecoveryWindowInDays != nil:
		return nil, invalid("InvalidParameterException", "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	case err != nil:
		return nil, err
	case c.in.ForceDeleteWithoutRecovery:
		return reply{x.ARN, x.Name, seconds(s.now())}, s.commit(record{DropSecret: x.Name})
	case days < 7 || days > 30:
		return nil, invalid("InvalidParameterException", "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	x.Deletes = s.now().AddDate(0, 0, days)
	return reply{x.ARN, x.Name, seconds(x.Deletes)}, s.commit(record{Secret: x})
}

func (s *Server) putSecretPolicy(c *secretCall) (any, error) {
	x, err := s.live(c)
	if err != nil {
		return nil, err
	}
	if !json.Valid([]byte(c.in.ResourcePolicy)) {
		return nil, invalid("MalformedPolicyDocumentException", "This resource policy contains invalid Json")
	}
	x.Policy = c.in.ResourcePolicy
	return secretReply{ARN: x.ARN, Name: x.Name}, s.commit(record{Secret: x})
}

func (s *Server) getSecretPolicy(c *secretCall) (any, error) {
	x, err := s.existing(c)
	if err != nil {
		return nil, err
	}
	return struct {
		ARN, Name      string
		ResourcePolicy string `json:",omitempty"`
	}{x.ARN, x.Name, x.Policy}, nil
}

func (s *Server) deleteSecretPolicy(c *secretCall) (any, error) {
	x, err := s.live(c)
	if err != nil {
		return nil, err
	}
	x.Policy = ""
	return secretReply{ARN: x.ARN, Name: x.Name}, s.commit(record{Secret: x})
}

// rotateSecret begins a rotation: it makes an empty version labelled AWSPENDING.
// No function is invoked; whoever called runs the four steps with the version ID
// of the reply as the token.
func (s *Server) rotateSecret(c *secretCall) (any, error) {
	x, err := s.live(c)
	if err != nil {
		return nil, err
	}
	id, err := c.token()
	if err != nil {
		return nil, err
	}
	if pending := x.labelled(labelPending); pending != nil && pending.ID != id && !slices.Contains(pending.Labels, labelCurrent) {
		return nil, invalid("InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted.")
	}
	if x.Rotation == nil {
		x.Rotation = &rotation{}
	}
	r := *x.Rotation
	if c.in.RotationLambdaARN != "" {
		r.Lambda = c.in.RotationLambdaARN
	}
	if c.in.RotationRules != nil {
		r.Rules = c.in.RotationRules
	}
	reply := secretReply{ARN: x.ARN, Name: x.Name}
	if c.in.RotateImmediately == nil || *c.in.RotateImmediately {
		v := x.version(id)
		if v == nil {
			v = &secretVersion{ID: id, Created: s.now()}
			x.Versions = append(x.Versions, v)
		}
		x.move(labelPending, v)
		r.Last, reply.VersionID = s.now(), id
	}
	x.Rotation = &r
	return reply, s.commit(record{Secret: x})
}
