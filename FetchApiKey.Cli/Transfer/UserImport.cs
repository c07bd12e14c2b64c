// users import: accounts with the hashes and keys they already have.

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using FetchApiKey.Accounts;

namespace FetchApiKey.Cli.Transfer;

/// <summary>
/// Reads a file twice: to judge it whole, by itself and beside what is stored, and to write. A file with a faulty line is not imported at
/// all, unless the operator says to skip such lines. An account that is there already, just as the line has it, is counted
/// and left alone, so that an import which was interrupted is finished by running it again. Of a line that was judged only digests
/// are kept, less than 200 bytes; of the stored accounts nothing.
/// </summary>
public sealed class UserImport(RealmStore realms, AccountStore accounts, ApiKeyCipher cipher, OperatorActs acts, TimeProvider time)
{
    /// <summary>How often a batch is sent again that met a store which is away or has too much to do.</summary>
    private const int Patience = 5;

    private enum Standing : byte
    {
        Fresh,
        Unchanged,
        Differs,
        UserIdTaken,
    }

    public async Task<int> RunAsync(RecordFile file, bool skipInvalid, Report report, TextWriter error, CancellationToken cancellation)
    {
        var stored = new FaultyRows(error);
        var judged = new Judged(await realms.SubdomainsAsync(stored.Meet, cancellation));
        var faults = await JudgeAsync(file, judged, error, cancellation);
        foreach (var subdomain in judged.Subdomains)
        {
            await CompareAsync(judged, subdomain, stored, cancellation);
        }

        foreach (var (number, standing) in judged.All)
        {
            if (standing is Standing.Differs or Standing.UserIdTaken)
            {
                faults++;
                await error.WriteLineAsync($"line {number}: {(standing == Standing.Differs ? "its email has an account already, which differs" : "its user_id is taken")}");
            }
        }

        if (faults > 0 && !skipInvalid)
        {
            throw new OperatorException($"{faults} faulty lines, so nothing was imported. --skip-invalid imports the others.");
        }

        foreach (var subdomain in judged.SubdomainsToWrite)
        {
            await acts.RecordAsync(subdomain, email: null, userId: null, cancellation);
        }

        var fresh = judged.Count(Standing.Fresh);
        var (late, failed) = await WriteAsync(file, judged, fresh, error, cancellation);
        await report.WriteAsync(
            ("imported", fresh - late - failed), ("unchanged", judged.Count(Standing.Unchanged) + late), ("skipped", faults), ("failed", failed));
        return failed == 0 ? ExitCode.Done : ExitCode.Refused;
    }

    // ---- Judging the file by itself ----

    /// <returns>How many lines have a fault.</returns>
    private async Task<int> JudgeAsync(RecordFile file, Judged judged, TextWriter error, CancellationToken cancellation)
    {
        var bar = new ProgressBar(error, "reading", file.Length);
        var faults = 0;
        await foreach (var reading in file.ReadAsync(cancellation))
        {
            if ((UserLine.Parse(reading, judged.Knows, time, out var line) ?? judged.Add(line!)) is { } fault)
            {
                faults++;
                bar.Tell($"line {reading.Number}: {fault}");
            }

            bar.Reach(file.Position);
        }

        bar.End();
        return faults;
    }

    // ---- Judging it beside what is stored ----

    private async Task CompareAsync(Judged judged, string subdomain, FaultyRows stored, CancellationToken cancellation)
    {
        await foreach (var account in accounts.ListAsync(subdomain, stored.Meet, cancellation))
        {
            if (EmailAddress.TryParse(account.Email) is { } email)
            {
                judged.Meet(OfStored(account, email));
            }
        }

        await foreach (var userId in accounts.RetiredUserIdsAsync(subdomain, cancellation))
        {
            judged.MeetRetired(subdomain, userId);
        }
    }

    /// <summary>Two seals of one key differ, so the keys themselves are compared. One that does not open is no line's.</summary>
    private UserLine OfStored(Account account, EmailAddress email) =>
        new(0, account, email, cipher.Open(account, out var apiKey) == Opening.Opened ? apiKey : "");

    // ---- Writing ----

    /// <returns>
    /// How many came to be there just as the file has them, written late for a run that was killed, and how many could not be added.
    /// </returns>
    private async Task<(int Late, int Failed)> WriteAsync(RecordFile file, Judged judged, int fresh, TextWriter error, CancellationToken cancellation)
    {
        var bar = new ProgressBar(error, "writing", fresh);
        var (late, failed) = (0, 0);
        // One after another: the accounts of a batch are a hundred requests at once, and more would only wait in a slow store until they are given up.
        await bar.AccompanyAsync("accounts", async () =>
        {
            await foreach (var batch in BatchesAsync(file, judged, cancellation))
            {
                var additions = await AddAsync([.. batch.Select(line => line.Account)], cancellation);
                for (var i = 0; i < batch.Count; i++)
                {
                    if (additions[i] == Addition.EmailTaken && await IsThereAsync(batch[i], cancellation))
                    {
                        late++;
                    }
                    else if (additions[i] != Addition.Added)
                    {
                        failed++;
                        var taken = additions[i] == Addition.EmailTaken ? "email" : "user_id";
                        bar.Tell($"line {batch[i].Number}: its {taken} was taken meanwhile");
                    }
                }

                bar.Advance(batch.Count);
            }
        }, cancellation);
        return (late, failed);
    }

    private async Task<bool> IsThereAsync(UserLine line, CancellationToken cancellation) =>
        (await accounts.FindAsync(line.Account.Subdomain, line.Email, cancellation)).Account is { } account
        && Judged.ContentOf(OfStored(account, line.Email)) == Judged.ContentOf(line);

    /// <summary>What is to be written, of one realm each time, as much as one transaction of claims takes.</summary>
    private async IAsyncEnumerable<List<UserLine>> BatchesAsync(
        RecordFile file, Judged judged, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var ofRealms = new Dictionary<string, List<UserLine>>(StringComparer.Ordinal);
        await foreach (var reading in file.ReadAsync(cancellation))
        {
            if (UserLine.Parse(reading, judged.Knows, time, out var line) is not null || !judged.IsToBeWritten(line!))
            {
                continue;
            }

            var (subdomain, userId) = (line!.Account.Subdomain, line.Account.UserId);
            var batch = ofRealms.GetValueOrDefault(subdomain) ?? (ofRealms[subdomain] = []);
            batch.Add(line with { Account = line.Account with { SealedApiKey = cipher.Seal(subdomain, line.Email, userId, line.ApiKey) } });
            if (batch.Count == AccountStore.MaxBatch)
            {
                ofRealms.Remove(subdomain);
                yield return batch;
            }
        }

        foreach (var batch in ofRealms.Values)
        {
            yield return batch;
        }
    }

    /// <summary>Sends the same rows again where the store had enough for now: those that are there by then are recognised.</summary>
    private async Task<IReadOnlyList<Addition>> AddAsync(IReadOnlyList<Account> batch, CancellationToken cancellation)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await accounts.AddAllAsync(batch, cancellation);
            }
            catch (Exception fault) when (tries < Patience && AccountTables.IsUnavailability(fault) && fault is not MissingTablesException && !cancellation.IsCancellationRequested)
            {
                await Task.Delay(TimeSpan.FromSeconds(1 << tries), time, cancellation);
            }
        }
    }

    /// <summary>The sound lines of a file, as digests.</summary>
    private sealed class Judged(IReadOnlyList<string> subdomains)
    {
        private readonly Dictionary<string, int> _realms = subdomains.Select((name, place) => (name, place)).ToDictionary(each => each.name, each => each.place, StringComparer.Ordinal);
        private readonly Dictionary<UInt128, int> _emails = [];
        private readonly Dictionary<(int Realm, int UserId), int> _userIds = [];
        private readonly List<Entry> _entries = [];

        private record struct Entry(ulong Content, int Number, short Realm, Standing Standing);

        public IEnumerable<string> Subdomains => _entries.Select(entry => entry.Realm).Distinct().Order().Select(realm => subdomains[realm]);

        public IEnumerable<string> SubdomainsToWrite =>
            _entries.Where(entry => entry.Standing == Standing.Fresh).Select(entry => entry.Realm).Distinct().Order().Select(realm => subdomains[realm]);

        public IEnumerable<(int Number, Standing Standing)> All => _entries.Select(entry => (entry.Number, entry.Standing));

        public bool Knows(string subdomain) => _realms.ContainsKey(subdomain);

        public int Count(Standing standing) => _entries.Count(entry => entry.Standing == standing);

        /// <summary>Null, or what is wrong with it beside those before it.</summary>
        public string? Add(UserLine line)
        {
            var realm = _realms[line.Account.Subdomain];
            if (_emails.TryGetValue(KeyOf(line), out var same))
            {
                return $"its email is that of line {_entries[same].Number}";
            }

            if (_userIds.TryGetValue((realm, line.Account.UserId), out same))
            {
                return $"its user_id is that of line {_entries[same].Number}";
            }

            _emails.Add(KeyOf(line), _entries.Count);
            _userIds.Add((realm, line.Account.UserId), _entries.Count);
            _entries.Add(new Entry(ContentOf(line), line.Number, (short)realm, Standing.Fresh));
            return null;
        }

        /// <summary>Takes notice of a stored account.</summary>
        public void Meet(UserLine stored)
        {
            if (_emails.TryGetValue(KeyOf(stored), out var ofEmail))
            {
                Mark(ofEmail, _entries[ofEmail].Content == ContentOf(stored) ? Standing.Unchanged : Standing.Differs);
            }
            else
            {
                ofEmail = -1;
            }

            if (_userIds.TryGetValue((_realms[stored.Account.Subdomain], stored.Account.UserId), out var ofUserId) && ofUserId != ofEmail)
            {
                Mark(ofUserId, Standing.UserIdTaken);
            }
        }

        public void MeetRetired(string subdomain, int userId)
        {
            if (_userIds.TryGetValue((_realms[subdomain], userId), out var line) && _entries[line].Standing == Standing.Fresh)
            {
                Mark(line, Standing.UserIdTaken);
            }
        }

        public bool IsToBeWritten(UserLine line) =>
            _emails.TryGetValue(KeyOf(line), out var entry) && _entries[entry] is { Standing: Standing.Fresh } fresh && fresh.Number == line.Number;

        private void Mark(int entry, Standing standing) => _entries[entry] = _entries[entry] with { Standing = standing };

        private static UInt128 KeyOf(UserLine line) =>
            BinaryPrimitives.ReadUInt128LittleEndian(
                SHA256.HashData(Encoding.ASCII.GetBytes(Account.PartitionOf(line.Account.Subdomain, line.Email))));

        /// <summary>All that a login and a key depend on; the time of creation and the full name need not be in a file.</summary>
        public static ulong ContentOf(UserLine line) => BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(
            FormattableString.Invariant($"{line.Account.Email}\0{line.Account.UserId}\0{line.ApiKey}\0{line.Account.PasswordHash}\0{line.Account.IsActive}\0{line.Account.Role}"))));
    }
}
