// A password as somebody typed it: the one place where text becomes the bytes that are hashed.

using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace FetchApiKey.Passwords;

/// <summary>The UTF-8 bytes of a password, never trimmed or normalised (contract section 7), wiped on disposal.</summary>
public sealed class TypedPassword : IDisposable
{
    private readonly byte[] _utf8;

    private TypedPassword(byte[] utf8) => _utf8 = utf8;

    public bool IsEmpty => _utf8.Length == 0;

    /// <summary>Well-formed UTF-8, valid until disposal.</summary>
    public byte[] Utf8 => _utf8;

    /// <summary>Takes bytes from a form; invalid UTF-8 reads as U+FFFD, as a Zulip server reads it.</summary>
    public static TypedPassword FromUtf8(ReadOnlySpan<byte> typed)
    {
        if (System.Text.Unicode.Utf8.IsValid(typed))
        {
            var copy = Allocate(typed.Length);
            typed.CopyTo(copy);
            return new TypedPassword(copy);
        }

        var characters = ArrayPool<char>.Shared.Rent(typed.Length);
        try
        {
            return FromText(characters.AsSpan(0, Encoding.UTF8.GetChars(typed, characters)));
        }
        finally
        {
            ArrayPool<char>.Shared.Return(characters, clearArray: true);
        }
    }

    /// <summary>Takes text from a prompt.</summary>
    public static TypedPassword FromText(ReadOnlySpan<char> typed)
    {
        var utf8 = Allocate(Encoding.UTF8.GetByteCount(typed));
        Encoding.UTF8.GetBytes(typed, utf8);
        return new TypedPassword(utf8);
    }

    public void Dispose() => CryptographicOperations.ZeroMemory(_utf8);

    public override string ToString() => "(password)";

    /// <summary>Pinned, so that no compacting collection leaves a copy behind.</summary>
    private static byte[] Allocate(int length) => GC.AllocateUninitializedArray<byte>(length, pinned: true);
}
