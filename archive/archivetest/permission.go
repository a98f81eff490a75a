package archivetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/wormlog/wormlog/archive"
)

// Action is an S3 permission that a test can take away, see [Tamperer.Deny]. The names are those of IAM (Service
// Authorization Reference, "Actions, resources, and condition keys for Amazon S3").
type Action string

// The permissions on objects. GetObject stands for s3:GetObjectVersion too, and is what HEAD needs as well. Without
// ListBucket a missing key reads as denied. Without GetObjectRetention or GetObjectLegalHold reads succeed and hide that
// part of the lock.
const (
	PutObject          Action = "s3:PutObject"
	GetObject          Action = "s3:GetObject"
	ListBucket         Action = "s3:ListBucket"
	ListBucketVersions Action = "s3:ListBucketVersions"
	PutObjectRetention Action = "s3:PutObjectRetention"
	PutObjectLegalHold Action = "s3:PutObjectLegalHold"
	GetObjectRetention Action = "s3:GetObjectRetention"
	GetObjectLegalHold Action = "s3:GetObjectLegalHold"
)

// The permissions on the bucket's settings; without one, its settings are unknown. Their prefix is "".
const (
	GetBucketObjectLockConfiguration Action = "s3:GetBucketObjectLockConfiguration"
	GetBucketVersioning              Action = "s3:GetBucketVersioning"
	GetEncryptionConfiguration       Action = "s3:GetEncryptionConfiguration"
	GetLifecycleConfiguration        Action = "s3:GetLifecycleConfiguration"
	GetBucketPolicy                  Action = "s3:GetBucketPolicy"
	GetBucketPublicAccessBlock       Action = "s3:GetBucketPublicAccessBlock"
)

// onBucket says whether the permission is about the bucket's settings, so that no key prefix narrows it.
func (a Action) onBucket() bool {
	switch a {
	case GetBucketObjectLockConfiguration, GetBucketVersioning, GetEncryptionConfiguration, GetLifecycleConfiguration,
		GetBucketPolicy, GetBucketPublicAccessBlock:
		return true
	}
	return false
}

type denial struct {
	action Action
	prefix string
}

func (m *Memory) isDenied(action Action, key string) bool {
	for _, d := range m.denied {
		if d.action == action && strings.HasPrefix(key, d.prefix) {
			return true
		}
	}
	return false
}

// visibleObject is what a HEAD shows of a version.
func (m *Memory) visibleObject(v *RawVersion) archive.Object {
	o := archive.Object{
		Key: v.Key, VersionID: v.VersionID, Size: int64(len(v.Body)), LastModified: v.LastModified, Lock: v.Lock,
		SHA256: v.SHA256, HasSHA256: v.HasSHA256, Encryption: v.Encryption, Replica: v.Replica, Date: m.date(),
	}
	if m.isDenied(GetObjectRetention, v.Key) {
		o.RetentionHidden, o.Lock.Mode, o.Lock.RetainUntil = true, "", time.Time{}
	}
	if m.isDenied(GetObjectLegalHold, v.Key) {
		o.HoldHidden, o.Lock.LegalHold = true, false
	}
	return o
}

// visibleSettings are the settings with those unknown that may not be read.
func (m *Memory) visibleSettings() archive.Settings {
	s := m.settings
	hide(m, GetBucketObjectLockConfiguration, &s.ObjectLock)
	hide(m, GetBucketObjectLockConfiguration, &s.DefaultMode)
	hide(m, GetBucketObjectLockConfiguration, &s.DefaultDays)
	hide(m, GetBucketVersioning, &s.Versioning)
	hide(m, GetEncryptionConfiguration, &s.Encryption)
	hide(m, GetLifecycleConfiguration, &s.LifecycleExpires)
	hide(m, GetBucketPolicy, &s.Policy)
	hide(m, GetBucketPublicAccessBlock, &s.PublicAccessBlocked)
	return s
}

func hide[T any](m *Memory, action Action, k *archive.Known[T]) {
	if m.isDenied(action, "") {
		*k = archive.Known[T]{Err: fmt.Errorf("%s: %w", action, archive.ErrDenied)}
	}
}
