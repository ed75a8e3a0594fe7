using Microsoft.Extensions.AI;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Extensions;
using Sa2VA.Media;

// curl --data-binary @cat.png "http://localhost:5000/segment?prompt=Please%20segment%20the%20cat."
// curl --json '["Hello.", "Hi.", "What can you do?"]' http://localhost:5000/chat
WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.WebHost.ConfigureKestrel(server => server.Limits.MaxRequestBodySize = 20_000_000);
// One model serves all requests: their answers are decoded together, and a session each keeps them apart.
builder.Services.AddSa2VA(new CpuDevice(), options =>
{
    options.Folder = builder.Configuration["model"] ?? throw new ArgumentException("Name the checkpoint's folder: --model DIR");
    options.LoadAtStart = true;
});
WebApplication app = builder.Build();

app.MapPost("/segment", async (string prompt, HttpRequest request, Sa2VAModel model, CancellationToken aborted) =>
{
    using var body = new MemoryStream();
    await request.Body.CopyToAsync(body, aborted);
    try
    {
        using ImageSession image = model.OpenImage(ImageFile.Load(body.GetBuffer().AsSpan(0, (int)body.Length), "the request"));
        Answer answer = await image.AskAsync(prompt, cancellation: aborted);
        return Results.Json(new
        {
            answer.Text,
            Objects = from o in answer.Objects
                      select new { o.Id, o.Phrase, o.Mask!.Score, o.Mask.Area, Counts = CocoRle.Encode(o.Mask.ToMask()) },
        });
    }
    catch (Exception e) when (e is MediaException or PromptException)
    {
        // What is wrong with the picture or the words is for whoever sent them.
        return Results.Problem(e.Message, statusCode: StatusCodes.Status400BadRequest);
    }
});

// What was said in turn, the user first; the answer comes piece by piece as server-sent events.
app.MapPost("/chat", (string[] said, IChatClient client, CancellationToken aborted) =>
    TypedResults.ServerSentEvents(client
        .GetStreamingResponseAsync(said.Select((s, i) => new ChatMessage(i % 2 == 0 ? ChatRole.User : ChatRole.Assistant, s)),
            cancellationToken: aborted)
        .Select(update => update.Text).Where(text => text.Length > 0)));

await app.RunAsync();
