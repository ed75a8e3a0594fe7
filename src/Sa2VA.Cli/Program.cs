System.Console.WriteLine("sa2va");
