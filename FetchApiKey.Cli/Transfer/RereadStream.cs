// A file that is read more than once, and must be the same each time.

using System.Security.Cryptography;

namespace FetchApiKey.Cli.Transfer;

/// <summary>
/// What is written must be what was judged. Of each block that is read for the first time a digest is kept. Whenever the block is read
/// again it must have that digest, before anybody gets a byte of it: somebody else may write to the file meanwhile.
/// </summary>
/// <param name="name">For whoever is told that the file has changed.</param>
internal sealed class RereadStream(Stream file, string name) : Stream
{
    public const int BlockBytes = 64 * 1024;

    private readonly List<byte[]> _digests = [];
    private readonly byte[] _block = new byte[BlockBytes];
    private long _number = -1;
    private int _length;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => file.Length;

    public override long Position { get; set; }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await LoadAsync(Position / BlockBytes, cancellationToken);
        var rest = _block.AsMemory(0, _length)[Math.Min(_length, (int)(Position % BlockBytes))..];
        var count = Math.Min(rest.Length, buffer.Length);
        rest[..count].CopyTo(buffer);
        Position += count;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override async ValueTask DisposeAsync()
    {
        await file.DisposeAsync();
        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            file.Dispose();
        }

        base.Dispose(disposing);
    }

    private async ValueTask LoadAsync(long number, CancellationToken cancellation)
    {
        if (number == _number)
        {
            return;
        }

        _number = -1;
        file.Position = number * BlockBytes;
        _length = await file.ReadAtLeastAsync(_block, BlockBytes, throwOnEndOfStream: false, cancellation);
        var digest = SHA256.HashData(_block.AsSpan(0, _length));
        if (number == _digests.Count)
        {
            _digests.Add(digest);
        }
        else if (!digest.AsSpan().SequenceEqual(_digests[(int)number]))
        {
            throw new OperatorException(
                $"{name} was changed while it was read, so the command ended there. Whatever was written is as it was judged. "
                + "Run it again on a file that nobody writes to.");
        }

        _number = number;
    }
}
