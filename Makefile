# make prints this help. demo and test need Go alone, no AWS account and no other service.
.DEFAULT_GOAL := help
.PHONY: help demo test bench million rotation contract awscli fuzz leaks check generate build lambda

GO        ?= go
BIN       := $(CURDIR)/.bin
VERSITYGW := github.com/versity/versitygw/cmd/versitygw@v1.8.0
LINTER    := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME  ?= 5s

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: ## archive a real CloudTrail log, verify it, attack it: a story of a minute
	$(GO) run ./cmd/wormlog-demo

test: ## all tests
	$(GO) test ./...

bench: ## sealing and verifying beside their floors, per core and on two cores
	$(GO) test ./archive -count=1 -timeout 30m -run TestBudgets -v -budgets

million: build ## a million entries through wormlog-dev: write and full verify, with resident memory
	$(GO) run ./internal/million -bin $(BIN)

rotation: build ## ten rotations in a row under load: rates, how long Append took, nothing lost
	$(GO) run ./internal/rotationload -bin $(BIN)

contract: $(BIN)/versitygw ## the store contract suite on versitygw, a real S3 server on loopback
	./archive/s3lock/testdata/versitygw.sh $(BIN)/versitygw $(GO) test -count=1 -tags s3server -run OnServer -v ./archive/s3lock

fuzz: ## every fuzz target for FUZZTIME (5s)
	./testdata/fuzz.sh $(FUZZTIME)

leaks: ## all tests with marked keys: none in anything they print or archive
	./testdata/leaks.sh

awscli: build ## the AWS CLI looks at what wormlog keeps in Secrets Manager and S3
	./testdata/awscli.sh $(BIN)

check: $(BIN)/staticcheck ## gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	$(GO) vet ./... && $(GO) vet -tags s3server ./archive/s3lock && $(GO) vet -tags markedkeys ./...
	$(BIN)/staticcheck ./... && $(BIN)/staticcheck -tags markedkeys ./keys ./cmd/wormlog

generate: ## make the vectors anew
	$(GO) test ./archive -run TestVectorsAreGenerated -update

build: ## wormlog and wormlog-dev into .bin
	$(GO) build -trimpath -o $(BIN)/ ./cmd/wormlog ./cmd/wormlog-dev

lambda: ## wormlog-lambda for AWS Lambda (provided.al2023), as zips for arm64 and amd64, into .bin
	@for arch in arm64 amd64; do \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -tags lambda.norpc -ldflags='-s -w' -o $(BIN)/lambda/$$arch/bootstrap ./cmd/wormlog-lambda && \
		$(GO) run ./internal/lambdazip $(BIN)/wormlog-lambda-$$arch.zip $(BIN)/lambda/$$arch/bootstrap || exit 1; \
	done
	@ls -l $(BIN)/wormlog-lambda-*.zip

$(BIN)/versitygw:
	GOBIN=$(BIN) $(GO) install $(VERSITYGW)

$(BIN)/staticcheck:
	GOBIN=$(BIN) $(GO) install $(LINTER)
