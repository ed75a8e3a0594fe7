using Sa2VA.Samples;

if (args.Length is not (3 or 4))
{
    Console.Error.WriteLine("usage: Sa2VA.Samples MODEL-FOLDER IMAGE VIDEO [OUT-FOLDER]");
    return 2;
}
string outFolder = args.Length > 3 ? args[3] : ".";
Directory.CreateDirectory(outFolder);
await SegmentImage.RunAsync(args[0], args[1], outFolder, CancellationToken.None);
await TrackVideo.RunAsync(args[0], args[2], CancellationToken.None);
return 0;
