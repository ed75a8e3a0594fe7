using Sa2VA.Core;
using Sa2VA.Engine.Language;

namespace Sa2VA.Engine;

/// <content>Several questions about the same at once.</content>
public abstract partial class ChatSession
{
    /// <summary>
    /// Asks several questions at once, each for itself: the picture is encoded once, what the prompts have in common is computed once, and
    /// the answers are decoded together. Each answer is the one that its question has alone. Without <see cref="AskOptions.FollowUp"/> the
    /// questions begin anew, with it each goes on from where the conversation stands; the conversation stays as it is in either case.
    /// </summary>
    /// <param name="questions">The questions.</param>
    /// <param name="options">Choices for each of them; null for upstream's. Of the progress, encoding and masks are told.</param>
    /// <param name="cancellation">Stops within one token.</param>
    /// <returns>Answers in the order of the questions. Objects are numbered in that order.</returns>
    /// <inheritdoc cref="Ask(string, AskOptions?, CancellationToken)"/>
    public async Task<IReadOnlyList<Answer>> AskManyAsync(IReadOnlyList<string> questions, AskOptions? options = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(questions);
        AskOptions choices = options ?? new AskOptions();
        var toAsk = new List<ToAsk>();
        foreach (string text in questions)
        {
            ArgumentNullException.ThrowIfNull(text, nameof(questions));
            toAsk.Add(InWords(text, choices));
        }
        if (toAsk.Count == 0) return [];
        return await Task.Run(() => AskAsync(toAsk, choices, null, GenerateManyAsync, null, cancellation), cancellation)
            .ConfigureAwait(false);
    }

    private async Task<Generated[]> GenerateManyAsync(Asked[] asked, Question question)
    {
        int known = await PrefillSharedAsync(asked, question).ConfigureAwait(false);
        foreach (Asked a in asked) await EncodeAsync(a.Prompt.Ids.AsMemory(known), question).ConfigureAwait(false);
        var forks = new List<Conversation>();
        Task<Generated>[] running = [.. asked.Select(a =>
        {
            Conversation fork = _conversation.Fork();
            forks.Add(fork);
            fork.Begin(a.Prompt.Ids, a.Prompt.MostKnown);
            return Model.Generation.RunAsync(fork, Tiles.Count > 0 ? Model.SegVectors : null, a.Prompt, a.Rules,
                new GenerationReports(null, question.CountTokens(), null), question.Cancellation);
        })];
        try
        {
            return await Task.WhenAll(running).ConfigureAwait(false);
        }
        catch
        {
            foreach (Task<Generated> run in running)
            {
                if (!run.IsCompletedSuccessfully) continue;
                foreach (SegVector seg in run.Result.Segs) seg.Dispose();
            }
            throw;
        }
        finally
        {
            foreach (Conversation fork in forks)
            {
                _prefilledBefore += fork.PrefilledTokens;
                fork.Dispose();
            }
        }
    }

    /// <summary>Computes what all prompts begin with.</summary>
    /// <returns>Tokens that are there of each.</returns>
    private async Task<int> PrefillSharedAsync(Asked[] asked, Question question)
    {
        int shared = asked.Min(a => Math.Min(a.Prompt.MostKnown, asked[0].Prompt.Ids.AsSpan().CommonPrefixLength(a.Prompt.Ids)));
        if (asked.Length == 1 || shared == 0) return _conversation.Begin(asked[0].Prompt.Ids, asked[0].Prompt.MostKnown);
        int[] prefix = asked[0].Prompt.Ids[..shared];
        int known = _conversation.Begin(prefix);
        await EncodeAsync(prefix.AsMemory(known), question).ConfigureAwait(false);
        // The one token that follows the prefix is nobody's.
        var turn = new Turn(_conversation, prefix, 1, _ => AfterToken.End, question.Cancellation) { Positions = asked[0].Prompt.Positions };
        Model.LanguageModel.Scheduler.Add(turn);
        await turn.End.ConfigureAwait(false);
        return shared;
    }
}
