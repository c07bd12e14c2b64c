// The implementations of Argon2id that are compared, each as a program would call it.

using System.Runtime.InteropServices;
using System.Text;
using FetchApiKey.Passwords;
using FetchApiKey.Argon2;

namespace FetchApiKey.Benchmarks;

internal abstract partial class Contender : IDisposable
{
    protected static readonly byte[] Password = "correct horse battery staple"u8.ToArray();
    protected static readonly byte[] Salt = "sixteen bytes..."u8.ToArray();

    public abstract string Name { get; }

    /// <summary>Computes one hash and returns its tag, or null where the implementation only verifies.</summary>
    public abstract byte[]? Hash(Argon2Cost cost);

    public virtual void Dispose()
    {
    }

    public static List<Contender> All(string libArgon2)
    {
        var all = new List<Contender>();
        foreach (var path in Enum.GetValues<Argon2Path>().Where(Argon2Engine.IsSupported).Reverse())
        {
            all.Add(new Engine(path));
        }

        all.Add(new EngineWithWorkers());

        all.Add(new Konscious());
        all.Add(new Sodium());
        if (NativeLibrary.TryLoad(libArgon2, out var library))
        {
            all.Add(new LibArgon2(library, isPooled: false));
            all.Add(new LibArgon2(library, isPooled: true));
        }
        else
        {
            Console.Error.WriteLine($"{libArgon2} is not there: libargon2 is left out (Debian's package is libargon2-1; --libargon2 names another).");
        }

        return all;
    }

    protected static Argon2Parameters ParametersOf(Argon2Cost cost) =>
        new(Argon2Variant.Argon2id, Argon2Parameters.CurrentVersion, cost.MemoryKib, cost.Passes, cost.Lanes, 32);

    /// <summary>One thread, memory kept between hashes and wiped after each.</summary>
    private sealed class Engine(Argon2Path path) : Contender
    {
        private readonly Lazy<HashingMemory> _memory = new(() => new HashingMemory(102400L * 1024));

        public override string Name => $"engine {path}";

        public override byte[] Hash(Argon2Cost cost)
        {
            var tag = new byte[32];
            new BuiltInArgon2(path).Derive(ParametersOf(cost), Password, Salt, new HashingWorkspace(_memory.Value, 0, _memory.Value.Bytes), tag);
            return tag;
        }

        public override void Dispose()
        {
            if (_memory.IsValueCreated)
            {
                _memory.Value.Dispose();
            }

            base.Dispose();
        }
    }

    /// <summary>A thread a processor, as the gate lets a hash that begins alone.</summary>
    private sealed class EngineWithWorkers : Contender
    {
        private readonly Lazy<HashingMemory> _memory = new(() => new HashingMemory(102400L * 1024));
        private readonly Lazy<LaneWorkers> _workers = new(() => new LaneWorkers(Environment.ProcessorCount));

        public override string Name => $"engine {Argon2Engine.BestPath}, {Environment.ProcessorCount} threads";

        public override byte[] Hash(Argon2Cost cost)
        {
            var tag = new byte[32];
            new BuiltInArgon2(Argon2Engine.BestPath).Derive(ParametersOf(cost), Password, Salt, new HashingWorkspace(_memory.Value, 0, _memory.Value.Bytes, _workers.Value), tag);
            return tag;
        }

        public override void Dispose()
        {
            if (_memory.IsValueCreated)
            {
                _memory.Value.Dispose();
                _workers.Value.Dispose();
            }

            base.Dispose();
        }
    }

    private sealed class Konscious : Contender
    {
        public override string Name => "Konscious";

        public override byte[] Hash(Argon2Cost cost)
        {
            var tag = new byte[32];
            new KonsciousArgon2().Derive(ParametersOf(cost), Password, Salt, default, tag);
            return tag;
        }
    }

    /// <summary>crypto_pwhash_str_verify, the call that takes any number of lanes: one after the other, on one thread.</summary>
    private sealed partial class Sodium : Contender
    {
        private readonly Dictionary<Argon2Cost, byte[]> _encoded = [];

        public override string Name => "libsodium verify";

        public override byte[]? Hash(Argon2Cost cost)
        {
            if (!_encoded.TryGetValue(cost, out var encoded))
            {
                encoded = new byte[128];
                using var engine = new Engine(Argon2Engine.BestPath);
                var hash = new Argon2Hash(Argon2Variant.Argon2id, Argon2Parameters.CurrentVersion, cost, Salt, engine.Hash(cost));
                Encoding.ASCII.GetBytes(hash.Encode().AsSpan("argon2".Length), encoded);
                _encoded.Add(cost, encoded);
            }

            return Verify(encoded, Password, (ulong)Password.Length) == 0
                ? null
                : throw new InvalidOperationException("libsodium refuses the engine's tag.");
        }

        [LibraryImport("libsodium", EntryPoint = "crypto_pwhash_str_verify")]
        private static partial int Verify(byte[] encoded, byte[] password, ulong length);
    }

    /// <summary>As called: argon2id_hash_raw, a thread a lane, fresh memory. Pooled: one thread, memory of the caller's.</summary>
    private sealed unsafe class LibArgon2(nint library, bool isPooled) : Contender
    {
        private static nint s_pool;

        private readonly delegate* unmanaged<uint, uint, uint, byte*, nint, byte*, nint, byte*, nint, int> _hashRaw =
            (delegate* unmanaged<uint, uint, uint, byte*, nint, byte*, nint, byte*, nint, int>)NativeLibrary.GetExport(library, "argon2id_hash_raw");

        private readonly delegate* unmanaged<Context*, int> _hashWithContext =
            (delegate* unmanaged<Context*, int>)NativeLibrary.GetExport(library, "argon2id_ctx");

        public override string Name => isPooled ? "libargon2, 1 thread, pooled" : "libargon2 as called";

        public override byte[] Hash(Argon2Cost cost)
        {
            var tag = new byte[32];
            fixed (byte* password = Password, salt = Salt, output = tag)
            {
                int result;
                if (isPooled)
                {
                    if (s_pool == 0)
                    {
                        s_pool = (nint)NativeMemory.AlignedAlloc(102400u * 1024, 2 * 1024 * 1024);
                    }

                    var context = new Context
                    {
                        Out = output, OutLength = 32, Password = password, PasswordLength = (uint)Password.Length, Salt = salt, SaltLength = (uint)Salt.Length,
                        Passes = (uint)cost.Passes, MemoryKib = (uint)cost.MemoryKib, Lanes = (uint)cost.Lanes, Threads = 1, Version = 0x13,
                        Allocate = &Allocate, Free = &Free,
                    };
                    result = _hashWithContext(&context);
                }
                else
                {
                    result = _hashRaw((uint)cost.Passes, (uint)cost.MemoryKib, (uint)cost.Lanes, password, Password.Length, salt, Salt.Length, output, 32);
                }

                return result == 0 ? tag : throw new InvalidOperationException($"libargon2 answers {result}.");
            }
        }

        [UnmanagedCallersOnly]
        private static int Allocate(byte** memory, nuint bytes)
        {
            *memory = (byte*)s_pool;
            return 0;
        }

        [UnmanagedCallersOnly]
        private static void Free(byte* memory, nuint bytes)
        {
        }

        /// <summary>argon2_context of argon2.h.</summary>
        [StructLayout(LayoutKind.Sequential)]
        private struct Context
        {
            public byte* Out;
            public uint OutLength;
            public byte* Password;
            public uint PasswordLength;
            public byte* Salt;
            public uint SaltLength;
            public byte* Secret;
            public uint SecretLength;
            public byte* Data;
            public uint DataLength;
            public uint Passes;
            public uint MemoryKib;
            public uint Lanes;
            public uint Threads;
            public uint Version;
            public delegate* unmanaged<byte**, nuint, int> Allocate;
            public delegate* unmanaged<byte*, nuint, void> Free;
            public uint Flags;
        }
    }
}
