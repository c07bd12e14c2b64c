// The operator's verbs: names, arguments and options, each bound to the method that does the work.

using System.CommandLine;
using System.CommandLine.Help;
using System.Net;
using System.Security.Cryptography;
using FetchApiKey.Accounts;
using FetchApiKey.Attempts;
using FetchApiKey.Audit;
using FetchApiKey.Cli.Transfer;
using FetchApiKey.Passwords;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace FetchApiKey.Cli;

public sealed class CommandLine(IConfiguration environment, StandardInput input, TimeProvider time)
{
    private const int DefaultPort = 7071;

    private static readonly Dictionary<string, RecordFormat> Formats = new(StringComparer.Ordinal)
    {
        ["jsonl"] = RecordFormat.JsonLines,
        ["csv"] = RecordFormat.Csv,
        ["copy"] = RecordFormat.Copy,
    };

    private readonly Option<bool> _json = new("--json") { Description = "Print JSON, one object a line.", Recursive = true };

    private readonly Option<bool> _yes = new("--yes", "-y") { Description = "Do not ask." };
    private readonly Option<string?> _format = new("--format") { Description = "jsonl, csv or copy; told from the first line without it." };

    /// <summary>Of the command that runs; null where it changes nothing.</summary>
    private OperatorActs? _acts;

    public async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error)
    {
        (output, error) = (output as PrintableWriter ?? new PrintableWriter(output), error as PrintableWriter ?? new PrintableWriter(error));
        _format.AcceptOnlyFromAmong([.. Formats.Keys]);
        var parsed = Root().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        var invocation = new InvocationConfiguration
        {
            // A directive's answer, such as what [suggest] proposes, is of several lines and has no values in it.
            Output = args is [['[', ..], ..] ? new PrintableWriter(output, keepsLines: true) : output,
            Error = error,
            EnableDefaultExceptionHandler = false,
            // Signals are heard here, since the exit code tells which it was.
            ProcessTerminationTimeout = null,
        };
        using var signal = new EndingSignal();
        try
        {
            var code = await signal.EndAsync(cancellation => parsed.InvokeAsync(invocation, cancellation), time);
            return parsed.Errors.Count > 0 ? ExitCode.Usage : code;
        }
        catch (OperatorException refusal)
        {
            await error.WriteLineAsync(refusal.Message);
            return refusal.Code;
        }
        catch (UsageException lack)
        {
            await error.WriteLineAsync(lack.Message);
            return ExitCode.Usage;
        }
        catch (OperationCanceledException end) when (signal.ExitCode is { } code)
        {
            await error.WriteLineAsync(
                end is InterruptedException ? end.Message
                : _acts is { HasRecorded: false } ? "Interrupted. Nothing was changed."
                : "Interrupted.");
            return code;
        }
        catch (Exception fault) when (fault is InvalidSettingsException or MissingTablesException)
        {
            // A line for each setting.
            await error.WriteAsync(fault.Message + error.NewLine);
            return ExitCode.BadSettings;
        }
        catch (Exception fault) when (MachineFault.Explain(fault) is { } explained)
        {
            await error.WriteLineAsync(explained.Message);
            return explained.Code;
        }
        catch (Exception fault) when (AccountTables.IsUnavailability(fault))
        {
            var done = _acts is { HasRecorded: true } ? " Whether the command was carried out is not known: look before you run it again." : "";
            await error.WriteLineAsync($"Account storage is unavailable: {fault.Message.Split('\n')[0].TrimEnd()}{done}");
            return ExitCode.Unavailable;
        }
    }

    private RootCommand Root()
    {
        var root = new RootCommand("Answers Zulip's fetch_api_key: a user name and a password for an API key.")
        {
            _json, Local(), Serve(), Probe(), Tables(), Keys(), Realms(), Users(), Audit(), Diagnose(), Complete(),
        };
        // They look like files, of which several verbs take one.
        var help = root.Options.OfType<HelpOption>().Single();
        help.Aliases.Remove("/h");
        help.Aliases.Remove("/?");
        return root;
    }

    // ---- Running the endpoint ----

    private Command Local()
    {
        var port = new Option<ushort>("--port") { Description = "The port of http://localhost.", DefaultValueFactory = _ => DefaultPort };
        var data = new Option<DirectoryInfo?>("--data") { Description = "Keep the tables in this folder; without it they are gone at the end." };
        data.Validators.Add(RequireName);
        return Verb("local", "Start the endpoint with Azurite and a demo account.", [port, data], (arguments, output, cancellation) =>
            LocalDemo.RunAsync(environment, arguments.GetValue(port), arguments.GetValue(data), time, output, cancellation));
    }

    private Command Serve()
    {
        var port = new Option<ushort>("--port") { Description = "The port to listen on.", DefaultValueFactory = _ => DefaultPort };
        var address = new Option<IPAddress>("--address")
        {
            Description = "The address to listen on.",
            DefaultValueFactory = _ => IPAddress.Loopback,
            CustomParser = ParseAddress,
        };
        var telemetry = new Option<bool>("--show-telemetry") { Description = "Print spans and metrics, for development." };
        return Verb("serve", "Start the endpoint on the configured storage.", [port, address, telemetry], async (arguments, output, cancellation) =>
        {
            var listener = new Listener(arguments.GetValue(address)!, arguments.GetValue(port), IsFunctionsHost: false);
            await EndpointServer.RunAsync(
                Settings.Read(environment, answersRequests: true), listener, output, cancellation, arguments.GetValue(telemetry));
            return ExitCode.Done;
        });
    }

    private Command Probe()
    {
        var origin = new Argument<Uri>("url")
        {
            Description = "The endpoint's origin: https://HOST[:PORT], or http:// on this machine.",
            CustomParser = argument =>
            {
                if (ProbeTarget.ParseOrigin(argument.Tokens.Single().Value) is { } parsed)
                {
                    return parsed;
                }

                argument.AddError("url is the origin of an endpoint, as https://chat.example.com");
                return null;
            },
        };
        var username = new Option<string?>("--username") { Description = "Also log in with this address; the password is read from a prompt or from standard input." };
        var timeout = new Option<int>("--timeout") { Description = "Seconds that each answer may take, 1 to 300.", DefaultValueFactory = _ => 10 };
        var insecure = new Option<bool>("--insecure-http") { Description = "Allow http:// to another machine, without --username." };
        timeout.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !(int.TryParse(token.Value, out var seconds) && seconds is >= 1 and <= 300))
            {
                result.AddError("--timeout is a whole number from 1 to 300");
            }
        });
        var probe = Verb(
            "probe",
            "Check a running endpoint from outside. One login with a random address and password is refused: one failed attempt on the address of this machine.",
            [origin, username, timeout, insecure], async (arguments, output, cancellation) =>
            {
                using var target = new ProbeTarget(
                    arguments.GetRequiredValue(origin), TimeSpan.FromSeconds(arguments.GetValue(timeout)), time);
                var address = arguments.GetValue(username);
                using var password = address is null
                    ? null
                    : await new PasswordPrompt(input, arguments.InvocationConfiguration.Error).ReadAsync(known: true);
                return await new Probe(target, ReportFor(arguments, output), time).RunAsync(address, password, cancellation);
            });
        probe.Validators.Add(result =>
        {
            if (result.GetResult(origin)?.Tokens is [var text] && ProbeTarget.ParseOrigin(text.Value) is { } url && ProbeTarget.IsUnprotected(url))
            {
                if (!result.GetValue(insecure))
                {
                    result.AddError("http:// is for this machine alone; --insecure-http allows it elsewhere");
                }
                else if (result.GetValue(username) is not null)
                {
                    result.AddError("a password is never sent to another machine over http://");
                }
            }
        });
        return probe;
    }

    private Command Tables()
    {
        var file = new Argument<FileInfo>("file") { Description = "JSON lines." };
        file.Validators.Add(RequireName);
        var unverified = new Option<bool>("--unverified") { Description = "Also take a file of an earlier release, which has no digest that shows whether it was changed." };
        return new Command("tables", "Tables of the account storage.")
        {
            Verb("create", "Make the tables that are not there yet.", [], async (arguments, output, cancellation) =>
            {
                var created = await Open().Tables.CreateAsync(cancellation);
                await ReportFor(arguments, output).WriteAsync([.. created.Select(name => new (string, object)[] { ("created", name) })]);
                return ExitCode.Done;
            }),
            Verb("backup", "Write realms and accounts to a file, API keys sealed as they are.", [file], (arguments, output, cancellation) =>
            {
                var (settings, tables) = Open(forAll: true);
                return new TableBackup(tables, settings.ApiKeys, time).WriteAsync(
                    arguments.GetRequiredValue(file), ReportFor(arguments, output), arguments.InvocationConfiguration.Error, cancellation);
            }),
            Verb("restore", "Add what a backup has and the tables have not.", [file, unverified], (arguments, output, cancellation) =>
            {
                var (settings, tables) = Open(forAll: true);
                return new TableRestore(tables, settings.ApiKeys, ActsOf(arguments, settings, tables)).RunAsync(
                    arguments.GetRequiredValue(file), arguments.GetValue(unverified), ReportFor(arguments, output),
                    arguments.InvocationConfiguration.Error, cancellation);
            }),
        };
    }

    private Command Keys() => new("keys", "Keys that API keys are sealed with.")
    {
        Verb("generate", "Print a new key for ApiKeys__keys__ID.", [], async (arguments, output, _) =>
        {
            StandardOutput.MakePrivate(output);
            var key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(ApiKeySettings.KeyBytes));
            await ReportFor(arguments, output).WriteTextAsync(key + output.NewLine, ("key", key));
            return ExitCode.Done;
        }),
        Verb("rotate", "Seal every API key anew with the key that ApiKeys__writeWith names.", [], (arguments, output, cancellation) =>
        {
            var (settings, tables) = Open(forAll: true);
            var rotation = new KeyRotation(
                new RealmStore(tables, TimeSpan.Zero, time), new AccountStore(tables), new ApiKeyCipher(settings.ApiKeys, tables.SealMarker), tables.SealMarker,
                ActsOf(arguments, settings, tables));
            return rotation.RunAsync(ReportFor(arguments, output), arguments.InvocationConfiguration.Error, cancellation);
        }),
    };

    // ---- Realms ----

    private Command Realms()
    {
        var subdomain = new Argument<string>("subdomain")
        {
            Description = "The label before the external host; left out for the root realm.",
            DefaultValueFactory = _ => "",
        };
        var name = new Option<string?>("--name") { Description = "The name that clients show." };
        var description = new Option<string?>("--description") { Description = "What clients show below the name, as HTML." };
        var icon = new Option<string?>("--icon") { Description = "The URL of a picture." };
        var url = new Option<string?>("--public-url") { Description = "The origin clients reach the realm at; empty for that of each request." };
        var active = new Option<bool?>("--active") { Description = "false deactivates the realm." };
        var passwords = new Option<bool?>("--email-backend") { Description = "false ends log-ins with e-mail address and password." };
        var file = SourceFile();
        RealmChange Change(ParseResult arguments) => new(
            arguments.GetValue(name), arguments.GetValue(description), arguments.GetValue(icon),
            arguments.GetValue(url), arguments.GetValue(active), arguments.GetValue(passwords));

        return new Command("realms", "Organisations.")
        {
            Verb("add", "Add a realm.", [subdomain, name, description, icon, url, active, passwords], (arguments, output, cancellation) =>
                RealmDesk(arguments, output).AddAsync(arguments.GetRequiredValue(subdomain), Change(arguments), cancellation)),
            Verb("list", "List the realms.", [], (arguments, output, cancellation) =>
                RealmDesk(arguments, output).ListAsync(cancellation)),
            Verb("deactivate", "Refuse the log-ins of a whole realm.", [subdomain, _yes], (arguments, output, cancellation) =>
                RealmDesk(arguments, output).SetAsync(arguments.GetRequiredValue(subdomain), new(null, null, null, null, IsActive: false, null), cancellation)),
            Verb("reactivate", "Allow the log-ins of a realm again.", [subdomain], (arguments, output, cancellation) =>
                RealmDesk(arguments, output).SetAsync(arguments.GetRequiredValue(subdomain), new(null, null, null, null, IsActive: true, null), cancellation)),
            Verb("import", "Add realms from a file, such as one of `realms list --json`.", [file, _format], async (arguments, output, cancellation) =>
            {
                var (settings, tables) = Open();
                await using var records = await OpenAsync(arguments, file, RealmImport.Fields, cancellation);
                return await new RealmImport(new RealmStore(tables, TimeSpan.Zero, time), ActsOf(arguments, settings, tables))
                    .RunAsync(records, ReportFor(arguments, output), arguments.InvocationConfiguration.Error, cancellation);
            }),
            Verb("set", "Change what is given of a realm.", [subdomain, name, description, icon, url, active, passwords, _yes], (arguments, output, cancellation) =>
                RealmDesk(arguments, output).SetAsync(arguments.GetRequiredValue(subdomain), Change(arguments), cancellation)),
        };
    }

    // ---- Users ----

    private Command Users()
    {
        var realm = new Option<string>("--realm") { Description = "The subdomain of the realm; the root realm without it.", DefaultValueFactory = _ => "" };
        var email = new Argument<string>("email") { Description = "The account's e-mail address." };
        var userId = new Option<int?>("--user-id") { Description = "A number that is free in the realm; the next one without it." };
        var role = new Option<string>("--role") { Description = "owner, administrator, moderator, member or guest.", DefaultValueFactory = _ => "member" };
        role.AcceptOnlyFromAmong([.. Account.Roles.Keys]);
        var hours = new Option<int>("--hours") { Description = "For how long the link is good, 1 to 168.", DefaultValueFactory = _ => 24 };
        hours.Validators.Add(result => Require(result, hours, 1, 168));
        var linkOrigin = new Option<string?>("--origin") { Description = "Where the person reaches the realm; without it the realm's public URL, else ExternalHost." };
        var file = SourceFile();
        var target = new Argument<string?>("file") { Description = "A file that is not there yet; - for standard output, or nothing where that is no terminal.", Arity = ArgumentArity.ZeroOrOne };
        target.Validators.Add(RequireName);
        var ofRealm = new Option<string?>("--realm") { Description = "The subdomain of one realm, empty for the root realm; all realms without it." };
        var site = new Option<string?>("--site") { Description = "The origin that clients reach the realm at; its public URL without it." };
        var despiteDirectory = new Option<bool>(UserCommands.DespiteDirectory) { Description = "Though the realm's people log in by a directory alone." };
        var skipInvalid = new Option<bool>("--skip-invalid") { Description = "Import the sound lines of a file that has faulty ones." };

        return new Command("users", "Accounts. Passwords are read from a prompt or from standard input.")
        {
            Verb("add", "Add an account.", [email, realm, userId, role], (arguments, output, cancellation) =>
                UserDesk(arguments, output).AddAsync(arguments.GetRequiredValue(realm), arguments.GetRequiredValue(email),
                    arguments.GetValue(userId), Account.Roles[arguments.GetRequiredValue(role)], cancellation)),
            Verb("list", "List the accounts of a realm.", [realm], (arguments, output, cancellation) =>
                UserDesk(arguments, output, forAll: true).ListAsync(arguments.GetRequiredValue(realm), cancellation)),
            Verb("show", "Show an account.", [email, realm], (arguments, output, cancellation) =>
                UserDesk(arguments, output).ShowAsync(arguments.GetRequiredValue(realm), arguments.GetRequiredValue(email), cancellation)),
            Verb("set-password", "Give an account a new password.", [email, realm, despiteDirectory], (arguments, output, cancellation) =>
                UserDesk(arguments, output).SetPasswordAsync(
                    arguments.GetRequiredValue(realm), arguments.GetRequiredValue(email), arguments.GetValue(despiteDirectory), cancellation)),
            Verb("invite-reset", "Print a link with which somebody can choose a new password, once.", [email, realm, hours, linkOrigin], (arguments, output, cancellation) =>
            {
                StandardOutput.MakePrivate(output);
                return UserDesk(arguments, output).InviteResetAsync(
                    new PasswordInvitations(Open().Tables), arguments.GetRequiredValue(realm), arguments.GetRequiredValue(email),
                    TimeSpan.FromHours(arguments.GetValue(hours)), arguments.GetValue(linkOrigin), cancellation);
            }),
            Verb("rotate-key", "Give an account a new API key; the old one is refused from then on.", [email, realm], (arguments, output, cancellation) =>
                UserDesk(arguments, output).RotateKeyAsync(arguments.GetRequiredValue(realm), arguments.GetRequiredValue(email), cancellation)),
            Verb("deactivate", "Refuse an account's log-ins.", [email, realm], (arguments, output, cancellation) =>
                UserDesk(arguments, output).SetActiveAsync(arguments.GetRequiredValue(realm), arguments.GetRequiredValue(email), false, cancellation)),
            Verb("reactivate", "Allow an account's log-ins again.", [email, realm], (arguments, output, cancellation) =>
                UserDesk(arguments, output).SetActiveAsync(arguments.GetRequiredValue(realm), arguments.GetRequiredValue(email), true, cancellation)),
            Verb("unlock", "Forget the failed attempts on an address.", [email, realm], (arguments, output, cancellation) =>
                UserDesk(arguments, output).UnlockAsync(arguments.GetRequiredValue(realm), arguments.GetRequiredValue(email), cancellation)),
            Verb("delete", "Delete an account, its API key and the failed attempts on it, for good.", [email, realm, _yes], (arguments, output, cancellation) =>
                UserDesk(arguments, output).DeleteAsync(arguments.GetRequiredValue(realm), arguments.GetRequiredValue(email), cancellation)),
            Verb("zuliprc", "Print the file that clients read an account's API key from.", [email, realm, site], (arguments, output, cancellation) =>
            {
                StandardOutput.MakePrivate(output);
                return UserDesk(arguments, output).ZuliprcAsync(
                    arguments.GetRequiredValue(realm), arguments.GetRequiredValue(email), arguments.GetValue(site), cancellation);
            }),
            Verb("import", "Import accounts with their hashes and keys.", [file, _format, skipInvalid], async (arguments, output, cancellation) =>
            {
                var (settings, tables) = Open(forAll: true);
                await using var records = await OpenAsync(arguments, file, UserLine.Fields, cancellation);
                return await new UserImport(
                    new RealmStore(tables, TimeSpan.Zero, time), new AccountStore(tables), new ApiKeyCipher(settings.ApiKeys, tables.SealMarker),
                    ActsOf(arguments, settings, tables), time)
                    .RunAsync(
                        records, arguments.GetValue(skipInvalid), ReportFor(arguments, output), arguments.InvocationConfiguration.Error,
                        cancellation);
            }),
            Verb("export", "Write accounts as `users import` reads them, with hashes and API keys in clear.", [target, ofRealm], (arguments, output, cancellation) =>
            {
                if (arguments.GetValue(target) is not { } path)
                {
                    path = StandardOutput.IsTerminal(output)
                        ? throw new UsageException("Standard output is a terminal, and an export has every API key in clear. Name a file, or - to print them here.")
                        : RecordFile.StandardInput;
                }

                var (settings, tables) = Open(forAll: true);
                return new UserExport(
                    new RealmStore(tables, TimeSpan.Zero, time), new AccountStore(tables),
                    new ApiKeyCipher(settings.ApiKeys, tables.SealMarker), ActsOf(arguments, settings, tables), time)
                    .RunAsync(
                        path, arguments.GetValue(ofRealm), output, ReportFor(arguments, output), arguments.InvocationConfiguration.Error,
                        cancellation);
            }),
        };
    }

    private static Argument<string> SourceFile()
    {
        var file = new Argument<string>("file")
        {
            Description = "JSON lines, CSV or a COPY of PostgreSQL; - for standard input. See README.md.",
        };
        file.Validators.Add(RequireName);
        return file;
    }

    private Task<RecordFile> OpenAsync(ParseResult arguments, Argument<string> file, RecordFields fields, CancellationToken cancellation) =>
        RecordFile.OpenAsync(
        arguments.GetRequiredValue(file), input, arguments.GetValue(_format) is { } format ? Formats[format] : null, fields, cancellation);

    // ---- Audit ----

    private Command Audit()
    {
        var count = new Option<int>("--count", "-n") { Description = "How many.", DefaultValueFactory = _ => 20 };
        count.Validators.Add(result => Require(result, count, 1, 10_000));
        var days = new Option<int>("--days") { Description = "How far back to look for them.", DefaultValueFactory = _ => 30 };
        days.Validators.Add(result => Require(result, days, 1, 3650));
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on with each new event until Ctrl-C." };
        var from = new Option<DateTimeOffset?>("--from") { Description = "A time such as 2030-01-31T12:00Z; a day before --to without it." };
        var to = new Option<DateTimeOffset?>("--to") { Description = "A time; now without it." };
        var kind = new Option<string?>("--kind") { Description = $"{string.Join(", ", SecurityEventKind.All)}." };
        kind.AcceptOnlyFromAmong([.. SecurityEventKind.All]);
        var outcome = new Option<string?>("--outcome") { Description = "How a login ended, such as wrong_password, or an operator's command, such as 'users add'." };
        var realm = new Option<string?>("--realm") { Description = "The subdomain of a realm; empty for the root realm." };
        var userId = new Option<int?>("--user-id") { Description = "The user id of an account." };
        var email = new Option<string?>("--email") { Description = "An e-mail address, whether it has an account or not; in the root realm without --realm." };
        var address = new Option<IPAddress?>("--address") { Description = "The IP address of a client.", CustomParser = ParseAddress };

        return new Command("audit", "What happened: logins, lock-outs, and what operators did.")
        {
            Verb("tail", "Print the newest events.", [count, days, follow], (arguments, output, cancellation) =>
                AuditDesk(arguments, output).TailAsync(
                    arguments.GetValue(count), arguments.GetValue(days), arguments.GetValue(follow), cancellation)),
            Verb("search", "Print the events that match.", [from, to, kind, outcome, realm, userId, email, address], (arguments, output, cancellation) =>
                AuditDesk(arguments, output).SearchAsync(
                    new AuditWishes(
                        arguments.GetValue(from), arguments.GetValue(to), arguments.GetValue(kind), arguments.GetValue(outcome), arguments.GetValue(realm),
                        arguments.GetValue(userId), arguments.GetValue(email), arguments.GetValue(address)),
                    cancellation)),
        };
    }

    // ---- The desk itself ----

    private Command Diagnose() =>
        Verb("doctor", "Check settings, storage, clock, keys and the rest, and say what to do.", [], (arguments, output, cancellation) =>
        new Doctor(environment, ReportFor(arguments, output), time).RunAsync(cancellation));

    private static Command Complete()
    {
        var shell = new Argument<string>("shell") { Description = $"{string.Join(", ", Completion.Scripts.Keys)}." };
        shell.AcceptOnlyFromAmong([.. Completion.Scripts.Keys]);
        return Verb("completion", "Print a script that lets a shell complete command lines.", [shell], async (arguments, output, _) =>
        {
            await output.WriteAsync(Completion.Scripts[arguments.GetRequiredValue(shell)].ReplaceLineEndings("\n"));
            return ExitCode.Done;
        });
    }

    // ---- What verbs share ----

    private static void Require(System.CommandLine.Parsing.OptionResult result, Option<int> option, int min, int max)
    {
        // What is no number at all the parser refuses by itself.
        if (result.Tokens is [var token] && int.TryParse(token.Value, out var value) && (value < min || value > max))
        {
            result.AddError($"{option.Name} takes a whole number from {min} to {max}");
        }
    }

    /// <summary>As a shell gives it for a variable that is not set.</summary>
    private static void RequireName(System.CommandLine.Parsing.SymbolResult result)
    {
        if (result.Tokens is [{ Value: "" }])
        {
            result.AddError("the name of the file or folder is empty");
        }
    }

    private static IPAddress? ParseAddress(System.CommandLine.Parsing.ArgumentResult argument)
    {
        if (IPAddress.TryParse(argument.Tokens.Single().Value, out var parsed))
        {
            return parsed;
        }

        argument.AddError($"'{argument.Tokens.Single().Value}' is not an IP address");
        return null;
    }

    private RealmCommands RealmDesk(ParseResult arguments, TextWriter output)
    {
        var (settings, tables) = Open();
        return new RealmCommands(
            new RealmStore(tables, TimeSpan.Zero, time), ActsOf(arguments, settings, tables), ConfirmationFor(arguments), ReportFor(arguments, output),
            arguments.InvocationConfiguration.Error);
    }

    private UserCommands UserDesk(ParseResult arguments, TextWriter output, bool forAll = false)
    {
        var (settings, tables) = Open(forAll);
        return new UserCommands(
            new RealmStore(tables, TimeSpan.Zero, time), new AccountStore(tables),
            new ApiKeyCipher(settings.ApiKeys, tables.SealMarker), new AttemptTable(tables, time, NullLogger<AttemptTable>.Instance),
            ActsOf(arguments, settings, tables), settings,
            new PasswordPrompt(input, arguments.InvocationConfiguration.Error), ConfirmationFor(arguments), ReportFor(arguments, output),
            arguments.InvocationConfiguration.Error, time);
    }

    /// <param name="forAll">Whether the command reads or writes everything there is.</param>
    private (Settings Settings, AccountTables Tables) Open(bool forAll = false)
    {
        var settings = Settings.Read(environment, answersRequests: false);
        return (settings, AccountTables.Open(settings.Storage, forAll ? AccountTables.BulkPatience : null));
    }

    private OperatorActs ActsOf(ParseResult arguments, Settings settings, AccountTables tables)
    {
        var command = arguments.CommandResult.Command;
        return _acts = new OperatorActs(
            new AuditTable(tables), new CorrelationDigest(settings.ApiKeys), time, $"{command.Parents.First().Name} {command.Name}");
    }

    private AuditCommands AuditDesk(ParseResult arguments, TextWriter output)
    {
        var (settings, tables) = Open();
        return new AuditCommands(
            new AuditTable(tables), new CorrelationDigest(settings.ApiKeys), ReportFor(arguments, output), arguments.InvocationConfiguration.Error, time);
    }

    private Confirmation ConfirmationFor(ParseResult arguments) =>
        new(input, arguments.InvocationConfiguration.Error, arguments.GetValue(_yes));

    private Report ReportFor(ParseResult arguments, TextWriter output) => new(output, arguments.GetValue(_json));

    private static Command Verb(
        string name, string description, Symbol[] symbols, Func<ParseResult, TextWriter, CancellationToken, Task<int>> action)
    {
        var command = new Command(name, description);
        foreach (var symbol in symbols)
        {
            if (symbol is Argument argument)
            {
                command.Arguments.Add(argument);
            }
            else
            {
                command.Options.Add((Option)symbol);
            }
        }

        command.SetAction((arguments, cancellation) => action(arguments, arguments.InvocationConfiguration.Output, cancellation));
        return command;
    }
}
