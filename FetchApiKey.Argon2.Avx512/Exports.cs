// What the library gives to the program.

using System.Runtime.InteropServices;
using FetchApiKey.Argon2;

namespace FetchApiKey.Argon2.Avx512;

internal static unsafe class Exports
{
    [UnmanagedCallersOnly(EntryPoint = Avx512Library.EntryPoint)]
    public static void FillLanes(Argon2Parameters* parameters, ulong* blocks, int pass, int slice, int fromLane, int toLane) =>
        Argon2Filling.FillLanes<Avx512Compression>(*parameters, blocks, pass, slice, fromLane, toLane);
}
