package archive

// CheckData says why a payload would be kept as data_base64, at which of its bytes; nil if it is kept as JSON.
func CheckData(data []byte) error {
	_, err := appendCompact(nil, data)
	return err
}
