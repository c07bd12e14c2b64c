// The commit of verdicts under arbitrary interleavings of several instances, and with a store that loses acknowledgements.

using System.Collections.Immutable;
using FetchApiKey.Attempts;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace FetchApiKeyFunction.Tests.Attempts;

/// <summary>
/// Every attempt is a process of its own, as if each had an instance to itself: the worst case. A step of an attempt is one call to the store, and
/// the schedule says whose step is next and what the store does with it. The rules under test are <see cref="AttemptRecord.Step"/>
/// and what <see cref="AttemptTable.CommitAsync"/> promises: a write is accepted only on the version that was read.
/// </summary>
public sealed class CommitModelTests
{
    private const int Attempts = 12;
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);

    /// <summary>What the store does with a call.</summary>
    public enum Weather
    {
        Fair,

        /// <summary>It is carried out, and the caller is told that it was not: it reads again.</summary>
        AcknowledgementLost,

        /// <summary>It is carried out, and the caller's process dies before it hears.</summary>
        CallerDies,

        /// <summary>It is not carried out, and the caller gives up.</summary>
        Away,
    }

    [Property(MaxTest = 3000)]
    public Property No_more_wrong_verdicts_leave_between_two_right_ones_than_the_limit_allows()
    {
        var weathers = Gen.Frequency(
            (12, Gen.Constant(Weather.Fair)), (3, Gen.Constant(Weather.AcknowledgementLost)),
            (1, Gen.Constant(Weather.CallerDies)), (1, Gen.Constant(Weather.Away)));
        var scenarios =
            from limit in Gen.Choose(1, 5)
            from isRight in Gen.Frequency((4, Gen.Constant(false)), (1, Gen.Constant(true))).ArrayOf(Attempts)
            from steps in Gen.Choose(0, 120)
            from who in Gen.Choose(0, Attempts - 1).ArrayOf(steps)
            from weather in weathers.ArrayOf(steps)
            select (Limit: limit, IsRight: isRight, Schedule: who.Zip(weather).ToList());
        return Prop.ForAll(
            Arb.From(scenarios),
            scenario =>
            {
                var (limit, isRight, schedule) = scenario;
                var world = new World(new AttemptPolicy(limit, TimeSpan.FromMinutes(30), 50, IsClearedBySuccess: true));
                var attempts = isRight.Select((right, i) => new Attempt(world, (ulong)i + 1, right)).ToArray();
                foreach (var (who, weather) in schedule)
                {
                    attempts[who].Step(weather);
                }

                // Whoever is left goes on undisturbed, so that schedules which are too short show something too.
                foreach (var attempt in attempts)
                {
                    for (var i = 0; i < 50 && !attempt.IsOver; i++)
                    {
                        attempt.Step(Weather.Fair);
                    }
                }

                return world.MostWrongBetweenRight <= limit && attempts.All(attempt => attempt.IsOver);
            });
    }

    /// <summary>One row, its version, the wrong verdicts that have left and the right ones that were accepted, by version.</summary>
    private sealed class World(AttemptPolicy policy)
    {
        private readonly List<(long Version, bool IsRight)> _left = [];

        public AttemptPolicy Policy => policy;

        public AttemptRecord Row { get; private set; } = AttemptRecord.Empty;

        public long Version { get; private set; }

        /// <summary>The version in which each failure was committed, so that a verdict which finds itself is put in its place.</summary>
        public Dictionary<ulong, long> CommittedIn { get; } = [];

        /// <summary>A right password clears as soon as its write is accepted, though nobody may learn of it.</summary>
        public bool Write(long read, AttemptRecord next, bool isRight)
        {
            if (read != Version)
            {
                return false;
            }

            foreach (var added in next.Failures.Select(failure => failure.Id).Except(Row.Failures.Select(failure => failure.Id)))
            {
                CommittedIn.Add(added, Version + 1);
            }

            (Row, Version) = (next, Version + 1);
            if (isRight)
            {
                _left.Add((Version, true));
            }

            return true;
        }

        public void LeaveWrong(long version) => _left.Add((version, false));

        public int MostWrongBetweenRight
        {
            get
            {
                var (most, run) = (0, 0);
                foreach (var (_, isRight) in _left.OrderBy(verdict => verdict.Version))
                {
                    run = isRight ? 0 : run + 1;
                    most = Math.Max(most, run);
                }

                return most;
            }
        }
    }

    private sealed class Attempt(World world, ulong id, bool isRight)
    {
        private (AttemptRecord Record, long Version)? _read;
        private ImmutableHashSet<ulong>? _cleared;

        public bool IsOver { get; private set; }

        public void Step(Weather weather)
        {
            if (IsOver)
            {
                return;
            }

            if (weather == Weather.Away)
            {
                IsOver = true;
                return;
            }

            if (_read is not { } read)
            {
                // A reading that is not acknowledged is made again.
                _read = weather == Weather.Fair ? (world.Row, world.Version) : null;
                IsOver = weather == Weather.CallerDies;
                return;
            }

            _cleared ??= read.Record.Uncleared;
            var step = read.Record.Step(isRight ? null : id, _cleared, world.Policy, Now);
            if (step.Decision != CommitDecision.Write)
            {
                IsOver = true;
                if (step.Decision == CommitDecision.Done)
                {
                    world.LeaveWrong(world.CommittedIn[id]);
                }

                return;
            }

            var isAccepted = world.Write(read.Version, step.Next, isRight);
            _read = null;
            if (weather == Weather.CallerDies)
            {
                IsOver = true;
            }
            else if (isAccepted && weather == Weather.Fair)
            {
                IsOver = true;
                if (!isRight)
                {
                    world.LeaveWrong(world.Version);
                }
            }
        }
    }
}
