namespace FetchApiKey;

/// <summary>The settings cannot be used. Each fault names its variable; none quotes a value.</summary>
public sealed class InvalidSettingsException(IReadOnlyList<string> faults)
    : Exception("Invalid settings:" + string.Concat(faults.Select(fault => "\n  " + fault)))
{
    public IReadOnlyList<string> Faults { get; } = faults;
}
