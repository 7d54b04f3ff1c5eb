// A second implementation of docs/format.md, with nothing but Go's standard library.
module sealer.dev/tests/hpke

go 1.26
