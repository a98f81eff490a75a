package s3lock_test

import (
	"testing"

	"github.com/wormlog/wormlog/archive/archivetest"
	"github.com/wormlog/wormlog/archive/devserver"
)

func TestContractOnDevserver(t *testing.T) {
	const page = 7
	_, url := startDev(t, devserver.Config{PageSize: page})
	archivetest.TestStore(t, func(t *testing.T) archivetest.StoreUnderTest {
		return underTest(t, configFor(url))
	}, archivetest.SuiteOptions{PageSize: page})
}
