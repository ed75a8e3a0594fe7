using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Media;

// curl --data-binary @cat.png "http://localhost:5000/segment?prompt=Please%20segment%20the%20cat."
WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.WebHost.ConfigureKestrel(server => server.Limits.MaxRequestBodySize = 20_000_000);
WebApplication app = builder.Build();
string folder = app.Configuration["model"] ?? throw new ArgumentException("Name the checkpoint's folder: --model DIR");

// One model serves all requests: their answers are decoded together, and a session each keeps them apart.
using Sa2VAModel model = Sa2VAModel.Load(folder, new CpuDevice());

app.MapPost("/segment", async (string prompt, HttpRequest request, CancellationToken aborted) =>
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

await app.RunAsync();
