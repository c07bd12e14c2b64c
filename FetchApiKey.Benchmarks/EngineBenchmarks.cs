// The same contenders under BenchmarkDotNet, for whoever wants its statistics; ratios are better taken from `engine`.

using BenchmarkDotNet.Attributes;
using FetchApiKey.Passwords;

namespace FetchApiKey.Benchmarks;

[MemoryDiagnoser]
public class EngineBenchmarks
{
    private readonly List<Contender> _contenders = Contender.All("libargon2.so.1");

    public static IEnumerable<Argon2Cost> Costs => EngineComparison.Sets;

    public IEnumerable<string> Names => _contenders.Select(contender => contender.Name);

    [ParamsSource(nameof(Costs))]
    public Argon2Cost Cost { get; set; } = EngineComparison.Sets[0];

    [ParamsSource(nameof(Names))]
    public string Name { get; set; } = "";

    [Benchmark]
    public byte[]? Hash() => _contenders.Single(contender => contender.Name == Name).Hash(Cost);
}
