// The AVX-512 path of a program that is compiled ahead of time: a library beside it.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FetchApiKey.Argon2;

/// <summary>
/// Code compiled ahead of time has the vector instructions of its target, x86-64-v3, and the compiler cannot put more behind
/// a check at run time. So FetchApiKey.Argon2.Avx512 compiles the filling once more, for x86-64-v4, into a library in
/// <c>glibc-hwcaps/x86-64-v4</c> beside the program. glibc looks there only where processor and kernel have all of that
/// level; elsewhere the library is not found, and the next path is taken.
/// </summary>
internal static unsafe class Avx512Library
{
    public const string FileName = "libfetch-api-key-avx512.so";
    public const string EntryPoint = "fetch_api_key_fill_lanes";

    private static readonly delegate* unmanaged<Argon2Parameters*, ulong*, int, int, int, int, void> Function = Find();

    /// <summary>False where code is compiled as it runs: there <see cref="Avx512Compression"/> itself is used.</summary>
    public static bool IsLoaded => !RuntimeFeature.IsDynamicCodeCompiled && Function != null;

    /// <summary><see cref="Argon2Filling.FillLanes{TCompression}"/> of <see cref="Avx512Compression"/>.</summary>
    // SAFETY: called only where IsLoaded; the parameters do not move while the library reads them, and it keeps no pointer.
    public static void FillLanes(in Argon2Parameters parameters, ulong* blocks, int pass, int slice, int fromLane, int toLane)
    {
        fixed (Argon2Parameters* pinned = &parameters)
        {
            Function(pinned, blocks, pass, slice, fromLane, toLane);
        }
    }

    // SAFETY: the export has this signature: both sides are compiled from this folder, and they are published together.
    private static delegate* unmanaged<Argon2Parameters*, ulong*, int, int, int, int, void> Find() =>
        NativeLibrary.TryLoad(FileName, out var library) && NativeLibrary.TryGetExport(library, EntryPoint, out var function)
            ? (delegate* unmanaged<Argon2Parameters*, ulong*, int, int, int, int, void>)function
            : null;
}
