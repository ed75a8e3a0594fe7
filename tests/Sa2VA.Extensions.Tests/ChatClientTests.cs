using System.Text.Json;
using Microsoft.Extensions.AI;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Extensions;

namespace Sa2VA.Tests;

/// <summary>A model as a chat client: what it says is what sessions say, however often it is asked at once.</summary>
public sealed class ChatClientTests
{
    private const string Picture = "pair-150.png", Circle = "Please segment the red circle.", What = "What can you see?";

    [Fact]
    public async Task A_picture_is_answered_with_text_masks_and_tokens()
    {
        using var client = new Sa2VAChatClient(Shown.Model);
        ChatResponse response = await client.GetResponseAsync([Shown.User(Circle, Picture)]);
        using ImageSession session = Shown.Model.OpenImage(Shown.Image(Picture));
        Answer answer = session.Ask(Circle);
        Assert.Equal(answer.Text, response.Text);
        Assert.Equal(ChatRole.Assistant, Assert.Single(response.Messages).Role);
        MaskContent mask = Assert.Single(response.Messages[0].Contents.OfType<MaskContent>());
        Assert.Equal(answer.Objects[0].Mask!.Pixels, mask.Mask!.Pixels);
        Assert.Equal((0, answer.Objects[0].Score, answer.Objects[0].Found), (mask.ObjectId, mask.Score, mask.Found));
        Assert.Equal((answer.PromptIds.Count, answer.TokenIds.Count, answer.PromptIds.Count + answer.TokenIds.Count),
            (response.Usage!.InputTokenCount, response.Usage.OutputTokenCount, response.Usage.TotalTokenCount));
        Assert.Equal((ChatFinishReason.Stop, "sa2va-tiny-shapes"), (response.FinishReason, response.ModelId));
        Assert.Equal(answer.Found, response.AdditionalProperties![Sa2VAChatClient.FoundProperty]);
        Assert.Equal(answer.TokenIds, Assert.IsType<Answer>(response.RawRepresentation).TokenIds);
    }

    [Fact]
    public async Task Text_comes_in_pieces_then_masks_then_the_end()
    {
        using var client = new Sa2VAChatClient(Shown.Model);
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate u in client.GetStreamingResponseAsync([Shown.User(What, Picture)])) updates.Add(u);
        Assert.True(updates.Count(u => u.Text.Length > 0) > 2);
        Assert.Single(updates.Select(u => u.ResponseId).Distinct());
        Assert.Equal([updates[^1]], updates.Where(u => u.FinishReason is not null));
        ChatResponse whole = updates.ToChatResponse(), once = await client.GetResponseAsync([Shown.User(What, Picture)]);
        Assert.Equal(once.Text, whole.Text);
        Assert.Equal(once.Usage!.TotalTokenCount, whole.Usage!.TotalTokenCount);
        Assert.Equal(once.Messages[0].Contents.Count(c => c is MaskContent), whole.Messages[0].Contents.Count(c => c is MaskContent));
    }

    [Fact]
    public async Task A_conversation_goes_on_with_its_ids_pages_and_pictures()
    {
        using var client = new Sa2VAChatClient(Shown.Model);
        List<ChatMessage> messages = [Shown.User(What, Picture)];
        using ImageSession first = Shown.Model.OpenImage(Shown.Image(Picture));
        Same(first.Ask(What), await Send());
        messages.Add(Shown.User(Circle));
        Answer circle = first.Ask(Circle, new AskOptions { FollowUp = true });
        ChatResponse response = await Send();
        Same(circle, response);
        // All but what is new: the answer as text, and the question.
        Assert.True(response.Usage!.CachedInputTokenCount > 20);
        messages.Add(Shown.User("And here?", "one-128.png"));
        using ImageSession second = first.ForkWithImage(Shown.Image("one-128.png"));
        Answer here = second.Ask("And here?", new AskOptions { FollowUp = true });
        Same(here, await Send());

        // Said elsewhere: another client knows the text alone, and says the same.
        using var other = new Sa2VAChatClient(Shown.Model, keptConversations: 0);
        ChatResponse again = await other.GetResponseAsync(messages.SkipLast(1));
        Assert.Equal(here.Text, again.Text);
        Assert.Equal(here.Raw.Split("And here?")[0], Assert.IsType<Answer>(again.RawRepresentation).Raw.Split("And here?")[0]);

        // Another way from the same place.
        ChatResponse branch = await client.GetResponseAsync([.. messages.Take(4), Shown.User("Why?")]);
        using ImageSession fork = first.Fork();
        Same(fork.Ask("Why?", new AskOptions { FollowUp = true }), branch);

        async Task<ChatResponse> Send()
        {
            ChatResponse answer = await client.GetResponseAsync(messages);
            messages.AddRange(answer.Messages);
            return answer;
        }

        static void Same(Answer expected, ChatResponse response)
        {
            var answer = Assert.IsType<Answer>(response.RawRepresentation);
            Assert.Equal(expected.PromptIds, answer.PromptIds);
            Assert.Equal(expected.TokenIds, answer.TokenIds);
            Assert.Equal(expected.Text, response.Text);
        }
    }

    [Fact]
    public async Task Options_are_those_of_a_question()
    {
        using var client = new Sa2VAChatClient(Shown.Model);
        using ImageSession session = Shown.Model.OpenImage(Shown.Image(Picture));
        Answer drawn = session.Ask(What, new AskOptions { Temperature = 8, TopK = 40, TopP = 0.9f, Seed = 5, MaxNewTokens = 9 });
        var options = new ChatOptions { Temperature = 8, TopK = 40, TopP = 0.9f, Seed = 5, MaxOutputTokens = 9 };
        ChatResponse response = await client.GetResponseAsync([Shown.User(What, Picture)], options);
        Assert.Equal(drawn.TokenIds, Assert.IsType<Answer>(response.RawRepresentation).TokenIds);
        Assert.Equal(drawn.Truncated ? ChatFinishReason.Length : ChatFinishReason.Stop, response.FinishReason);
        response = await client.GetResponseAsync([Shown.User(What, Picture)], new ChatOptions { MaxOutputTokens = 2 });
        Assert.Equal((ChatFinishReason.Length, 2L), (response.FinishReason, response.Usage!.OutputTokenCount));
        response = await client.GetResponseAsync([Shown.User(Circle, Picture)], new ChatOptions { StopSequences = [", "] });
        Assert.Equal("Sure", response.Text);
        response = await client.GetResponseAsync([Shown.User("Hello.", Picture)], new ChatOptions
        {
            AdditionalProperties = new() { ["answer_prefix"] = "It is [SEG].", ["min_score"] = 1.0, ["repetition_penalty"] = "1.5" },
        });
        Assert.StartsWith("It is [SEG].", response.Text, StringComparison.Ordinal);
        Assert.Null(Assert.Single(response.Messages[0].Contents.OfType<MaskContent>()).Mask);
        response = await client.GetResponseAsync([Shown.User(What)], new ChatOptions
        {
            RawRepresentationFactory = _ => new AskOptions { AnswerPrefix = "Well" }, TopK = 3,
        });
        Assert.StartsWith("Well", response.Text, StringComparison.Ordinal);
        // What has no effect is said.
        Assert.Contains("temperature 0", Assert.IsAssignableFrom<IReadOnlyList<string>>(
            response.AdditionalProperties![Sa2VAChatClient.NotesProperty])[0], StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => client.GetResponseAsync([Shown.User(What)], new() { TopP = 2 }));
    }

    public static TheoryData<string, ChatOptions> Refused => new()
    {
        { "model", new() { ModelId = "other" } },
        { "Instructions", new() { Instructions = "Be brief." } },
        { "ConversationId", new() { ConversationId = "1" } },
        { "FrequencyPenalty", new() { FrequencyPenalty = 1 } },
        { "PresencePenalty", new() { PresencePenalty = 1 } },
        { "Tools", new() { Tools = [AIFunctionFactory.Create(() => 1, "one")] } },
        { "Tools", new() { ToolMode = ChatToolMode.RequireAny } },
        { "ResponseFormat", new() { ResponseFormat = ChatResponseFormat.Json } },
        { "Background", new() { AllowBackgroundResponses = true } },
        { "top_n", new() { AdditionalProperties = new() { ["top_n"] = 1 } } },
        { "min_score", new() { AdditionalProperties = new() { ["min_score"] = "much" } } },
        { "answer_prefix", new() { AdditionalProperties = new() { ["answer_prefix"] = 1 } } },
        { "RawRepresentationFactory", new() { RawRepresentationFactory = _ => "greedy" } },
    };

    [Theory, MemberData(nameof(Refused), DisableDiscoveryEnumeration = true)]
    public async Task What_cannot_be_done_is_refused_by_name(string named, ChatOptions options)
    {
        using var client = new Sa2VAChatClient(Shown.Model);
        var e = await Assert.ThrowsAsync<PromptException>(() => client.GetResponseAsync([Shown.User("Hello.")], options));
        Assert.Contains(named, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Messages_that_are_no_such_conversation_are_refused()
    {
        using var client = new Sa2VAChatClient(Shown.Model);
        ChatMessage hello = Shown.User("Hello."), answer = new(ChatRole.Assistant, "Hi.");
        foreach ((string named, ChatMessage[] messages) in ((string, ChatMessage[])[])
        [
            ("nothing to answer", []), ("nothing to answer", [hello, answer]), ("begins with an answer", [answer, hello]),
            ("system messages", [new(ChatRole.System, "Be brief."), hello]), ("tool", [hello, new(ChatRole.Tool, "1"), hello]),
            ("more than one picture", [new(ChatRole.User, [.. Shown.User("a", Picture).Contents, .. Shown.User("b", Picture).Contents])]),
            ("audio/wav", [new(ChatRole.User, [new DataContent(new byte[3], "audio/wav")])]),
            ("http://here/a.png", [new(ChatRole.User, [new UriContent("http://here/a.png", "image/png")])]),
            ("FunctionCallContent", [hello, new(ChatRole.Assistant, [new FunctionCallContent("1", "f")]), hello]),
            ("FunctionResultContent", [new(ChatRole.User, [new FunctionResultContent("1", 1)])]),
            ("answer that was given is empty", [hello, new(ChatRole.Assistant, ""), hello]), ("question is empty", [Shown.User(" ")]),
        ])
        {
            var e = await Assert.ThrowsAsync<PromptException>(() => client.GetResponseAsync(messages));
            Assert.Contains(named, e.Message, StringComparison.Ordinal);
        }
        await Assert.ThrowsAsync<MediaException>(() =>
            client.GetResponseAsync([new(ChatRole.User, [new DataContent(new byte[9], "image/png"), new TextContent("What?")])]));
    }

    [Fact]
    public async Task Many_requests_at_once_are_answered_as_if_each_were_alone()
    {
        using var client = new Sa2VAChatClient(Shown.Model, keptConversations: 2);
        string[] questions = [Circle, "Please segment the blue star.", What, Circle, "Hello."];
        string[] expected = [.. questions.Select(q =>
        {
            using ImageSession session = Shown.Model.OpenImage(Shown.Image(Picture));
            return session.Ask(q).Text;
        })];
        ChatResponse[] responses = await Task.WhenAll(questions.Select(q => client.GetResponseAsync([Shown.User(q, Picture)])));
        Assert.Equal(expected, responses.Select(r => r.Text));
        // And conversations that fork from one place.
        ChatMessage[] said = [Shown.User(What, Picture), .. responses[2].Messages];
        ChatResponse[] forked = await Task.WhenAll(Enumerable.Range(0, 4)
            .Select(_ => client.GetResponseAsync([.. said, Shown.User(Circle)])));
        Assert.Single(forked.Select(r => r.Text).Distinct());
    }

    [Fact]
    public async Task A_request_that_is_cancelled_or_left_leaves_nothing_behind()
    {
        using Sa2VAModel model = Shown.Load();
        using (var client = new Sa2VAChatClient(model))
        {
            using var stop = new CancellationTokenSource();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                await foreach (ChatResponseUpdate _ in client.GetStreamingResponseAsync([Shown.User(What, Picture)], null, stop.Token))
                    stop.Cancel();
            });
            await foreach (ChatResponseUpdate _ in client.GetStreamingResponseAsync([Shown.User(What, Picture)])) break;
            Assert.Equal(ChatFinishReason.Stop, (await client.GetResponseAsync([Shown.User(What, Picture)])).FinishReason);
        }
        await Assert.ThrowsAsync<ObjectDisposedException>(() => new Sa2VAChatClientOf(model).AskClosed());
        // What was kept went with the client: a budget of one conversation suffices for the next.
        using ImageSession session = model.OpenImage(Shown.Image(Picture));
        Assert.NotEmpty(session.Ask(What).Text);
        Assert.Equal(session.Ask(What).PromptIds.Count, (int)session.PrefilledTokens - 1);
    }

    [Fact]
    public async Task Conversations_that_differ_by_their_pictures_alone_are_told_apart()
    {
        using var client = new Sa2VAChatClient(Shown.Model);
        (string Name, int Width)[] pictures = [(Picture, 150), ("one-128.png", 128)];
        foreach ((string picture, _) in pictures)
            Assert.Equal("Sure, [SEG].", (await client.GetResponseAsync([Shown.User(Circle, picture)])).Text);
        foreach ((string picture, int width) in pictures)
        {
            ChatMessage[] said = [Shown.User(Circle, picture), new(ChatRole.Assistant, "Sure, [SEG].")];
            ChatResponse again = await client.GetResponseAsync([.. said, Shown.User(Circle)],
                new ChatOptions { AdditionalProperties = new() { ["answer_prefix"] = "[SEG]" } });
            Assert.Equal(width, again.Messages[0].Contents.OfType<MaskContent>().First().Width);
        }
    }

    [Theory, InlineData(0, false), InlineData(1, false), InlineData(2, true)]
    public async Task So_many_conversations_are_kept(int kept, bool known)
    {
        using Sa2VAModel model = Shown.Load();
        using var client = new Sa2VAChatClient(model, kept);
        List<ChatMessage> first = [Shown.User(What, Picture)];
        first.AddRange((await client.GetResponseAsync(first)).Messages);
        await client.GetResponseAsync([Shown.User("Hello, who are you?")]);
        ChatResponse response = await client.GetResponseAsync([.. first, Shown.User(Circle)]);
        Assert.Equal(known, response.Usage!.CachedInputTokenCount > 16);
    }

    [Fact]
    public async Task Kept_conversations_make_room_for_what_is_asked_now()
    {
        using Sa2VAModel model = Shown.Load(new ModelOptions { MaxTokens = 96 });
        using var client = new Sa2VAChatClient(model);
        for (int i = 0; i < 6; i++)
        {
            // Some run out of room in the middle of their answer; nothing of it is said twice.
            string question = $"What is number {i} of {i * 7}?";
            var drawn = new ChatOptions { Temperature = 1, Seed = i };
            string text = (await client.GetResponseAsync([Shown.User(question)], drawn)).Text;
            using TextSession alone = Shown.Model.OpenText();
            Assert.Equal(alone.Ask(question, new AskOptions { Temperature = 1, Seed = i }).Text, text);
        }
        string longer = string.Join(' ', Enumerable.Repeat("a b", 60));
        await Assert.ThrowsAsync<DeviceMemoryException>(() => client.GetResponseAsync([Shown.User(longer)]));
    }

    [Fact]
    public void It_says_what_it_is()
    {
        IChatClient client = Shown.Model.AsIChatClient();
        var metadata = client.GetService<ChatClientMetadata>();
        Assert.Equal(("sa2va", "sa2va-tiny-shapes"), (metadata!.ProviderName, metadata.DefaultModelId));
        Assert.Same(Shown.Model, client.GetService<Sa2VAModel>());
        Assert.Same(client, client.GetService<IChatClient>());
        Assert.Same(client, client.GetService<Sa2VAChatClient>());
        Assert.Null(client.GetService<string>());
        Assert.Null(client.GetService(typeof(IChatClient), "key"));
        client.Dispose();
        client.Dispose();
    }

    [Fact]
    public async Task Answers_with_masks_are_written_as_json_and_read()
    {
        using var client = new Sa2VAChatClient(Shown.Model);
        ChatResponse response = await client.GetResponseAsync([Shown.User(Circle, Picture)]);
        var options = new JsonSerializerOptions(AIJsonUtilities.DefaultOptions);
        options.AddAIContentType<MaskContent>("sa2vaMask");
        MaskContent mask = response.Messages[0].Contents.OfType<MaskContent>().Single();
        ChatMessage read = JsonSerializer.Deserialize<ChatMessage>(JsonSerializer.Serialize(response.Messages[0], options), options)!;
        MaskContent again = Assert.Single(read.Contents.OfType<MaskContent>());
        Assert.Equal(mask.Mask!.Pixels, again.Mask!.Pixels);
        Assert.Equal((mask.ObjectId, mask.Score, mask.Found, mask.Phrase), (again.ObjectId, again.Score, again.Found, again.Phrase));
        // And such a conversation goes on.
        Assert.NotEmpty((await client.GetResponseAsync([Shown.User(Circle, Picture), read, Shown.User(What)])).Text);
    }

    /// <summary>A client that is closed.</summary>
    private sealed class Sa2VAChatClientOf(Sa2VAModel model)
    {
        public Task<ChatResponse> AskClosed()
        {
            var client = new Sa2VAChatClient(model);
            client.Dispose();
            return client.GetResponseAsync([Shown.User("Hello.")]);
        }
    }
}
