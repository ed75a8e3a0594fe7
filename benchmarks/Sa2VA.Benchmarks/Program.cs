using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Exporters.Csv;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;
using Sa2VA.Benchmarks;

// In this process: the ceilings that the rates are compared with are measured by the same run. Many short iterations: on a machine that has
// other work, the best of them is what the code can do.
Job job = Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithWarmupCount(2).WithIterationCount(15)
    .WithIterationTime(TimeInterval.FromMilliseconds(200)).WithId("short");
IConfig config = ManualConfig.CreateEmpty().AddJob(job).AddLogger(ConsoleLogger.Default)
    .AddColumnProvider(DefaultColumnProviders.Descriptor, DefaultColumnProviders.Params)
    .AddColumn(StatisticColumn.Median, StatisticColumn.Min, StatisticColumn.Max, RateColumn.Compute, RateColumn.PeakShare,
        RateColumn.Traffic, RateColumn.BandwidthShare, new CoresHad())
    .AddExporter(MarkdownExporter.GitHub, CsvExporter.Default)
    .WithSummaryStyle(BenchmarkDotNet.Reports.SummaryStyle.Default.WithMaxParameterColumnWidth(60))
    .WithOptions(ConfigOptions.JoinSummary | ConfigOptions.DisableLogFile);
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args, config);
Console.WriteLine(Ceilings.Report());
foreach (string line in CoresHad.Busy()) Console.WriteLine(line);
