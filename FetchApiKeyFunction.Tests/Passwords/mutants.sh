#!/usr/bin/env bash
# Breaks the Argon2 engine in one place at a time, in a copy of the repository, and shows that its tests notice each.
# Usage: FetchApiKeyFunction.Tests/Passwords/mutants.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy"
cd "$copy"
engine=FetchApiKey.Argon2

mutants=(
    "Avx512Compression.cs|RotateRight(x, 24)|RotateRight(x, 25)|a rotation of the AVX-512 path"
    "Avx512Compression.cs|Vector512.Create(1UL, 4, 3, 6, 5, 0, 7, 2)|Vector512.Create(1UL, 4, 3, 6, 5, 0, 2, 7)|a turn of the AVX-512 path"
    "Avx2Compression.cs|(x + x) ^ (x >>> 63)|(x + x) ^ (x >>> 62)|a rotation of the AVX2 path"
    "Avx2Compression.cs|Avx2.Permute4x64(quads, 0b10_01_00_11)|Avx2.Permute4x64(quads, 0b10_01_11_00)|a turn of the AVX2 path"
    "Vector128Compression.cs|(x >>> 16) \| (x << 48)|(x >>> 16) \| (x << 47)|a rotation of the 128-bit path"
    "PortableCompression.cs|RotateRight(vd ^ va, 32)|RotateRight(vd ^ va, 31)|a rotation of the portable path"
    "Argon2Kernel.cs|(TWords.Straddle(r7, r6), TWords.Straddle(r6, r7))|(TWords.Straddle(r6, r7), TWords.Straddle(r7, r6))|the diagonals of pairs"
    "Argon2Filling.cs|? finished + index - 1|? finished + index - 2|the area of the own lane"
    "Argon2Filling.cs|- (index == 0 ? 1 : 0)|- (index == 1 ? 1 : 0)|the area of another lane"
    "Argon2Filling.cs|% (uint)parameters.Lanes|% (uint)Math.Max(1, parameters.Lanes - 1)|the choice of the lane"
    "Argon2Filling.cs|(slice + 1) * segment;|slice * segment;|where the area begins"
    "Argon2Filling.cs|slice < SlicesPerPass / 2|slice <= SlicesPerPass / 2|when addresses stop being independent"
    "Argon2Filling.cs|pass > 0 && parameters.Version|pass > 1 && parameters.Version|the overwriting of later passes"
    "Argon2Derivation.cs|lane <= parameters.Lanes; lane++|lane < parameters.Lanes; lane++|the last lane in the tag"
    "LaneWorkers.cs|lanes * (share + 1) / Threads|Math.Max(0, (lanes * (share + 1) / Threads) - (share == 1 ? 1 : 0))|the share of the lanes of a worker"
    "HashingWorkspace.cs|&& bytes <= Bytes|&& bytes <= _memory.Bytes - _offset|the end of a slot"
    "HashingMemory.cs|end & ~(HugePage - 1)|end|the end of what is given back"
    "Blake2b.cs|isLast ? ulong.MaxValue : 0|isLast ? 0 : ulong.MaxValue|the mark of the last block"
    "Blake2b.cs|output.Length > MaxDigestBytes)|output.Length >= MaxDigestBytes)|the last step of H'"
)

survivors=0
for mutant in "${mutants[@]}"; do
    IFS='|' read -r file from to what <<<"${mutant//\\|/$'\x01'}"
    from=${from//$'\x01'/|} to=${to//$'\x01'/|}
    cp "$engine/$file" original
    FROM="$from" TO="$to" python3 -c '
import os, sys
text = open(sys.argv[1]).read()
assert text.count(os.environ["FROM"]) >= 1, "nothing to break: " + os.environ["FROM"]
open(sys.argv[1], "w").write(text.replace(os.environ["FROM"], os.environ["TO"], 1))' "$engine/$file"
    if ! dotnet build FetchApiKeyFunction.Tests >build.log 2>&1; then
        cat build.log
        echo "does not build: $what"
        exit 1
    fi
    if dotnet test FetchApiKeyFunction.Tests --no-build -p:CollectCoverage=false --filter "FullyQualifiedName~Argon2EngineTests|FullyQualifiedName~HashingMemoryTests" >test.log 2>&1; then
        echo "SURVIVED  $what"
        survivors=$((survivors + 1))
    else
        echo "noticed   $what"
    fi
    mv original "$engine/$file"
done
echo "${#mutants[@]} mutants, $survivors survived"
exit $((survivors > 0))
