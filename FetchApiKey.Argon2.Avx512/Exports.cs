// The export that Avx512Library of the engine looks for.

using System.Runtime.InteropServices;
using FetchApiKey.Argon2;

namespace FetchApiKey.Argon2.Avx512;

internal static unsafe class Exports
{
    // SAFETY: Avx512Library passes parameters that stay in place and the blocks of a hash, as FillLanes asks for.
    [UnmanagedCallersOnly(EntryPoint = Avx512Library.EntryPoint)]
    public static void FillLanes(Argon2Parameters* parameters, ulong* blocks, int pass, int slice, int fromLane, int toLane) =>
        Argon2Filling.FillLanes<Avx512Compression>(*parameters, blocks, pass, slice, fromLane, toLane);
}
